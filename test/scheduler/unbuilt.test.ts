import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { pino } from 'pino'
import { settings } from '../../core/config.ts'
import { openSite } from '../../scheduler/site.ts'
import { Unbuilt } from '../../scheduler/unbuilt.ts'
import { addHost, boot, place, startApi, type TestApi } from '../api/fixture.ts'

let api: TestApi
beforeAll(async () => {
  api = await startApi()
})
afterAll(() => api.stop())

const log = pino({ level: 'silent' })
const config = settings.parse({ home: '/nowhere' })
const { heartbeatSeconds, bootTimeoutSeconds } = config

/** A server that a host of its own has taken, and not built. @returns its id */
async function takenBy(name: string, { isForcedDown }: { readonly isForcedDown: boolean }): Promise<string> {
  await addHost(api.db, name)
  const id = await boot(api)
  await place(api.db, id)
  const waits = { host: name, vmState: 'building', taskState: 'spawning' } as const
  await api.db('servers').where({ id }).update(waits)
  const heartbeatAt = new Date(Date.now() - 3600_000)
  await api.db('hosts').where({ name }).update({ isForcedDown, heartbeatAt })
  return id
}

async function statesOf(ids: readonly string[]): Promise<readonly (string | undefined)[]> {
  const rows = await api.db('servers').whereIn('id', ids)
  return ids.map((id) => rows.find((row) => row.id === id)?.vmState)
}

/** Looks at every sign of life of so many seconds; hosts named here give theirs. */
async function watch(unbuilt: Unbuilt, seconds: number, from = 0): Promise<void> {
  for (let at = from; at <= from + seconds; at += heartbeatSeconds) await unbuilt.look(at * 1000)
}

test('a server whose host fell silent before it built it ends in error, and its fault names the host', async () => {
  const down = await takenBy('declared-down', { isForcedDown: true })
  const silent = await takenBy('silent', { isForcedDown: false })
  const unbuilt = new Unbuilt({ ...openSite(api.db, config), config, log })
  await unbuilt.look(0)
  // Both were silent for an hour by the database's clock, of which nobody saw more than a moment.
  expect(await statesOf([down, silent])).toEqual(['building', 'building'])
  await watch(unbuilt, 3 * heartbeatSeconds)
  expect(await statesOf([down, silent])).toEqual(['error', 'building'])
  await watch(unbuilt, bootTimeoutSeconds, 3 * heartbeatSeconds)
  expect(await statesOf([down, silent])).toEqual(['error', 'error'])
  const shown = await api.admin(`GET /compute/v2.1/servers/${silent}`)
  expect(JSON.stringify(shown.body)).toContain('Host silent took the server and fell silent before it was built.')
})

test('a host that speaks again builds what it took, and one with a server on a shelf leaves it there', async () => {
  const spoken = await takenBy('speaks-again', { isForcedDown: false })
  const shelved = await takenBy('shelf', { isForcedDown: true })
  await api.db('servers').where({ id: shelved }).update({ vmState: 'shelved_offloaded' })
  const unbuilt = new Unbuilt({ ...openSite(api.db, config), config, log })
  await watch(unbuilt, bootTimeoutSeconds - heartbeatSeconds)
  await api.db('hosts').where({ name: 'speaks-again' }).update({ heartbeatAt: api.db.fn.now() })
  await watch(unbuilt, bootTimeoutSeconds, bootTimeoutSeconds)
  expect(await statesOf([spoken, shelved])).toEqual(['building', 'shelved_offloaded'])
  expect(await api.db('servers').where({ id: shelved }).first('host', 'taskState')).toEqual({
    host: null,
    taskState: null,
  })
})

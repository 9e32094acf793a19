import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { pino } from 'pino'
import { settings } from '../../core/config.ts'
import { Healer } from '../../scheduler/heal.ts'
import { HostBook } from '../../scheduler/host-book.ts'
import { addHost, boot, place, startApi, type TestApi } from '../api/fixture.ts'

const second = 1000
let api: TestApi
let servers: readonly string[]
let scratch: string
beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'healing-'))
  api = await startApi()
  for (const name of ['host-1', 'host-2', 'host-3']) await addHost(api.db, name)
})
beforeEach(async () => {
  await api.db('server_migrations').delete()
  await api.db('servers').update({ deletedAt: new Date() })
  await api.db('hosts').update({ isForcedDown: false, forcedDownReason: null, isEnabled: true, servers: 0 })
  servers = [await boot(api), await boot(api), await boot(api)]
  for (const id of servers) await place(api.db, id)
  await api
    .db('servers')
    .whereIn('id', [...servers])
    .update({ host: 'host-1' })
  await api.db('hosts').where({ name: 'host-1' }).update({ servers: 3 })
})
afterAll(async () => {
  await api.stop()
  rmSync(scratch, { recursive: true, force: true })
})

interface Wish {
  readonly fence?: readonly string[]
  readonly mostHosts?: number
}

function healerWith({ fence = ['true'], mostHosts = 1 }: Wish): Healer {
  const healing = { afterSeconds: 60, atOnce: 2, mostHosts, fence: [...fence] }
  const config = settings.parse({ home: '/nowhere', healing })
  return new Healer({ db: api.db, config, book: new HostBook(api.db), log: pino({ level: 'silent' }) })
}

/** Looks every 20 s, for 80 s, while these hosts say nothing. */
async function silent(healer: Healer, hosts: readonly string[]): Promise<void> {
  for (const seconds of [0, 20, 40, 60, 80]) {
    await api
      .db('hosts')
      .whereNotIn('name', [...hosts])
      .update({ heartbeatAt: new Date() })
    await healer.heal(seconds * second)
  }
}

async function evacuating(): Promise<number> {
  return (
    await api
      .db('servers')
      .whereIn('id', [...servers])
      .where({ taskState: 'evacuating' })
  ).length
}

test('a host that stays silent is cut off, and its servers leave it, so many at a time; each says why', async () => {
  const told = join(scratch, 'fenced')
  const healer = healerWith({ fence: ['sh', '-c', `echo {host} >> ${told}`] })
  await silent(healer, ['host-1'])
  expect(readFileSync(told, 'utf8')).toBe('host-1\n')
  const host = await api.db('hosts').where({ name: 'host-1' }).first()
  expect(host).toMatchObject({ isForcedDown: true, forcedDownReason: 'fenced after 60 s of silence' })
  expect(await evacuating()).toBe(2)
  const [action] = await api.db('server_actions').where({ action: 'evacuate' })
  expect(action?.message).toBe('Host host-1 was silent for 60 s: it is fenced, and the server built anew elsewhere.')
  const moves = await api.db('server_migrations').where({ type: 'evacuation', sourceHost: 'host-1' })
  expect(moves).toHaveLength(2)
  await api
    .db('server_migrations')
    .where({ id: moves[0]?.id ?? 0 })
    .update({ status: 'done' })
  await healer.heal(85 * second)
  expect(await evacuating()).toBe(3)
})

test('a host that could not be cut off keeps its servers', async () => {
  await silent(healerWith({ fence: ['false'] }), ['host-1'])
  expect(await evacuating()).toBe(0)
  expect((await api.db('hosts').where({ name: 'host-1' }).first())?.isForcedDown).toBe(false)
})

test('when more hosts are silent than may be healed nothing is done', async () => {
  await api
    .db('servers')
    .where({ id: servers[0] ?? '' })
    .update({ host: 'host-2' })
  await api.db('hosts').where({ name: 'host-2' }).update({ servers: 1 })
  await silent(healerWith({ mostHosts: 1 }), ['host-1', 'host-2'])
  expect(await evacuating()).toBe(0)
  await silent(healerWith({ mostHosts: 2 }), ['host-1', 'host-2'])
  expect(await evacuating()).toBe(3)
})

test('a host in maintenance is its operator’s, and a server that no host took waits', async () => {
  await api.db('hosts').where({ name: 'host-1' }).update({ isEnabled: false, disabledAs: 'maintenance' })
  await silent(healerWith({}), ['host-1'])
  expect(await evacuating()).toBe(0)
  await api.db('hosts').where({ name: 'host-1' }).update({ isEnabled: true })
  const healer = healerWith({})
  await silent(healer, ['host-1'])
  expect(await evacuating()).toBe(2)
  await api.db('server_migrations').update({ status: 'error' })
  await api
    .db('servers')
    .whereIn('id', [...servers])
    .update({ taskState: null })
  await healer.heal(85 * second)
  expect(await evacuating()).toBe(1)
})

test('healing without a way to cut a host off is refused by name', () => {
  expect(() => settings.parse({ home: '/nowhere', healing: { afterSeconds: 60 } })).toThrow(/fence is needed/)
})

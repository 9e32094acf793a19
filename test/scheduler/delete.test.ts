import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { pino } from 'pino'
import { settings } from '../../core/config.ts'
import { deleteOfFenced } from '../../scheduler/delete.ts'
import { addHost, boot, place, startApi, type TestApi } from '../api/fixture.ts'

let api: TestApi
beforeAll(async () => {
  api = await startApi()
})
afterAll(() => api.stop())

interface Situation {
  readonly isForcedDown: boolean
  readonly silentSeconds: number
}

/** A server that its user has deleted, on a host of its own. @returns its id */
async function deletedOn(name: string, { isForcedDown, silentSeconds }: Situation): Promise<string> {
  await addHost(api.db, name)
  const id = await boot(api)
  await place(api.db, id)
  await api.db('servers').where({ id }).update({ host: name })
  await api.admin(`DELETE /compute/v2.1/servers/${id}`)
  const heartbeatAt = new Date(Date.now() - silentSeconds * 1000)
  await api.db('hosts').where({ name }).update({ isForcedDown, heartbeatAt })
  return id
}

test('a delete waits for its host, but not for one that was declared down and is silent, and its address is free', async () => {
  const gone = await deletedOn('gone', { isForcedDown: true, silentSeconds: 90 })
  const silent = await deletedOn('silent', { isForcedDown: false, silentSeconds: 90 })
  const alive = await deletedOn('alive', { isForcedDown: true, silentSeconds: 0 })
  const held = await api.db('ports').where({ serverId: gone }).select('id')
  expect(held).toHaveLength(1)
  const config = settings.parse({ home: '/nowhere' })
  for (let times = 0; times < 2; times += 1)
    await deleteOfFenced({ db: api.db, config, log: pino({ level: 'silent' }) })
  const rows = await api.db('servers').whereIn('id', [gone, silent, alive]).whereNotNull('deletedAt').select('id')
  expect(rows.map(({ id }) => id)).toEqual([gone])
  const ports = held.map(({ id }) => id)
  expect(await api.db('addresses').whereIn('portId', ports).andWhere({ state: 'used' })).toEqual([])
  expect((await api.admin(`GET /compute/v2.1/servers/${gone}`)).status).toBe(404)
})

/** What a host knows of servers that left it. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { hasLeft, recordMove, setMove, type MoveType } from '../../db/moves.ts'
import type { MoveStatus } from '../../core/moves.ts'
import { findServer } from '../../db/servers.ts'
import { addHost, boot, place, startApi, type TestApi } from '../api/fixture.ts'

let api: TestApi
let id: string
beforeAll(async () => {
  api = await startApi()
  for (const name of ['host-1', 'host-2']) await addHost(api.db, name)
  id = await boot(api)
  await place(api.db, id)
})
afterAll(() => api.stop())

/** @returns id of a move from `host` to the other one */
async function moveFrom(host: string, status: MoveStatus, type: MoveType = 'migration'): Promise<number> {
  const server = await findServer(api.db, id)
  if (!server) throw new Error('the server is gone')
  const wish = host === 'host-1' ? 'host-2' : 'host-1'
  await api.db.transaction((trx) => recordMove(trx, { ...server, host }, { type, wish, userId: server.userId }))
  const move = await api.db('server_migrations').where({ serverId: id }).orderBy('id', 'desc').first('id')
  const moveId = move?.id ?? 0
  await api.db.transaction((trx) => setMove(trx, moveId, { status }))
  return moveId
}

test('a server has left a host for good when its move was confirmed, until it is on its way back there', async () => {
  expect(await hasLeft(api.db, id, 'host-1')).toBe(false)
  const away = await moveFrom('host-1', 'finished')
  expect(await hasLeft(api.db, id, 'host-1')).toBe(false)
  await api.db.transaction((trx) => setMove(trx, away, { status: 'confirmed' }))
  expect(await hasLeft(api.db, id, 'host-1')).toBe(true)
  const back = await moveFrom('host-2', 'migrating')
  expect(await hasLeft(api.db, id, 'host-1')).toBe(false)
  await api.db.transaction((trx) => setMove(trx, back, { status: 'error' }))
  expect(await hasLeft(api.db, id, 'host-1')).toBe(true)
})

import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { boot, faultIn, place, startApi, type Answer, type TestApi } from '../../fixture.ts'

let api: TestApi
beforeAll(async () => {
  api = await startApi()
})
afterAll(async () => {
  await api.stop()
})

type Asker = 'member' | 'admin' | 'reader'

async function act(id: string, body: unknown, as: Asker = 'member', version = '2.1'): Promise<Answer> {
  return await api[as](`POST /compute/v2.1/servers/${id}/action`, { body, version })
}

test('a locked server says so and by whom, refuses changes, and takes them again when unlocked', async () => {
  const id = await boot(api)
  await place(api.db, id)
  expect((await act(id, { lock: null })).status).toBe(202)
  expect(await api.db('servers').where({ id }).first()).toMatchObject({ lockedBy: 'owner', lockedReason: null })
  const shown = await api.member(`GET /compute/v2.1/servers/${id}`, { version: '2.9' })
  expect(shown.body).toMatchObject({ server: { locked: true } })
  for (const body of [{ pause: null }, { 'os-stop': null }, { reboot: { type: 'HARD' } }]) {
    const refused = await act(id, body)
    expect([refused.status, faultIn(refused)[1]]).toEqual([409, `Instance ${id} is locked`])
  }
  expect((await act(id, { unlock: null })).status).toBe(202)
  expect((await act(id, { pause: null })).status).toBe(202)
  const actions = await api.db('server_actions').where({ serverId: id }).orderBy('id').pluck('action')
  expect(actions).toEqual(['create', 'lock', 'unlock', 'pause'])
})

test('a reason is kept from 2.73 on, and goes with the lock', async () => {
  const id = await boot(api)
  expect((await act(id, { lock: { locked_reason: 'audit' } }, 'member', '2.73')).status).toBe(202)
  const shown = await api.member(`GET /compute/v2.1/servers/${id}`, { version: '2.73' })
  expect(shown.body).toMatchObject({ server: { locked: true, locked_reason: 'audit' } })
  await act(id, { unlock: null })
  const after = await api.member(`GET /compute/v2.1/servers/${id}`, { version: '2.73' })
  expect(after.body).toMatchObject({ server: { locked: false, locked_reason: null } })
})

test.each([[{ locked_reason: '' }], [{ locked_reason: 'x'.repeat(256) }], [{ reason: 'x' }], ['now']])(
  'a lock of %j is bad input at 2.73',
  async (lock) => {
    const id = await boot(api)
    expect((await act(id, { lock }, 'member', '2.73')).status).toBe(400)
  },
)

test('what an administrator locked, its owner does not unlock', async () => {
  const id = await boot(api)
  await act(id, { lock: null }, 'admin')
  expect((await act(id, { unlock: null })).status).toBe(403)
  expect((await act(id, { unlock: null }, 'admin')).status).toBe(202)
  expect((await act(id, { lock: null }, 'reader')).status).toBe(403)
})

test('an owner’s lock does not take the place of an administrator’s', async () => {
  const id = await boot(api)
  await act(id, { lock: { locked_reason: 'audit' } }, 'admin', '2.73')
  expect((await act(id, { lock: { locked_reason: 'mine' } }, 'member', '2.73')).status).toBe(202)
  expect(await api.db('servers').where({ id }).first()).toMatchObject({ lockedBy: 'admin', lockedReason: 'audit' })
  expect((await act(id, { unlock: null })).status).toBe(403)
})

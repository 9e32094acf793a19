import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { boot, faultIn, jobsOf, place, startApi, type Answer, type TestApi } from '../../fixture.ts'

let api: TestApi
beforeAll(async () => {
  api = await startApi()
})
afterAll(async () => {
  await api.stop()
})

async function act(
  id: string,
  body: unknown,
  as: 'member' | 'reader' | 'stranger' | 'admin' = 'member',
): Promise<Answer> {
  return await api[as](`POST /compute/v2.1/servers/${id}/action`, { body })
}

test.each([
  ['os-stop', { 'os-stop': null }, 'active', 'powering-off', 'server.stop', 'stop'],
  ['os-start', { 'os-start': null }, 'stopped', 'powering-on', 'server.start', 'start'],
  ['a soft reboot', { reboot: { type: 'SOFT' } }, 'active', 'rebooting', 'server.reboot', 'reboot'],
  ['a hard reboot', { reboot: { type: 'hard' } }, 'stopped', 'rebooting_hard', 'server.reboot-hard', 'reboot'],
] as const)('%s shows its task and is a job of the host', async (_what, body, from, task, job, action) => {
  const id = await boot(api)
  await place(api.db, id, from)
  const answer = await act(id, body)
  expect([answer.status, answer.body]).toEqual([202, undefined])
  const requestId = answer.headers.get('x-compute-request-id')
  expect(await api.db('servers').where({ id }).first()).toMatchObject({ vmState: from, taskState: task })
  expect((await jobsOf(api.db, id)).at(-1)).toEqual({
    taskIdentifier: `host-1/${job}`,
    payload: { serverId: id, requestId },
  })
  expect(await api.db('server_actions').where({ serverId: id }).orderBy('id', 'desc').first()).toMatchObject({
    action,
    requestId,
  })
})

test('a stopped server is not stopped again, in the words of Nova', async () => {
  const id = await boot(api)
  await place(api.db, id, 'stopped')
  const answer = await act(id, { 'os-stop': null })
  expect(answer.status).toBe(409)
  expect(faultIn(answer)).toEqual([
    'conflictingRequest',
    `Cannot 'stop' instance ${id} while it is in vm_state stopped`,
  ])
})

test('of two changes at once one begins', async () => {
  const id = await boot(api)
  await place(api.db, id)
  const answers = await Promise.all([1, 2, 3, 4].map(() => act(id, { 'os-stop': null })))
  expect(answers.map(({ status }) => status).toSorted()).toEqual([202, 409, 409, 409])
})

test('a locked server changes for nobody but an administrator', async () => {
  const id = await boot(api)
  await place(api.db, id)
  await api.db('servers').where({ id }).update({ lockedBy: 'owner' })
  const refused = await act(id, { 'os-stop': null })
  expect([refused.status, faultIn(refused)[1]]).toEqual([409, `Instance ${id} is locked`])
  expect((await act(id, { 'os-stop': null }, 'admin')).status).toBe(202)
})

test('a server that is being built is deleted, and its build is told', async () => {
  const id = await boot(api)
  const answer = await api.member(`DELETE /compute/v2.1/servers/${id}`)
  expect([answer.status, answer.body]).toEqual([204, undefined])
  expect(await api.db('servers').where({ id }).first()).toMatchObject({ vmState: 'building', taskState: 'deleting' })
  expect((await jobsOf(api.db, id)).map(({ taskIdentifier }) => taskIdentifier)).toEqual(['schedule', 'server.delete'])
})

test('a placed server is deleted by the agent of its host', async () => {
  const id = await boot(api)
  await place(api.db, id)
  expect((await api.member(`DELETE /compute/v2.1/servers/${id}`)).status).toBe(204)
  expect((await jobsOf(api.db, id)).at(-1)?.taskIdentifier).toBe('host-1/server.delete')
})

test('who may not is refused, and who may not see does not find', async () => {
  const id = await boot(api)
  await place(api.db, id)
  expect((await act(id, { 'os-stop': null }, 'reader')).status).toBe(403)
  expect((await act(id, { 'os-stop': null }, 'stranger')).status).toBe(404)
  expect((await api.stranger(`DELETE /compute/v2.1/servers/${id}`)).status).toBe(404)
  expect((await api.reader(`DELETE /compute/v2.1/servers/${id}`)).status).toBe(403)
})

test.each([
  ['no action', {}],
  ['two actions', { 'os-start': null, 'os-stop': null }],
  ['an unknown action', { explode: null }],
  ['a reboot without a type', { reboot: {} }],
  ['a reboot of an unknown type', { reboot: { type: 'WARM' } }],
])('%s is bad input', async (_what, body) => {
  const id = await boot(api)
  expect((await act(id, body)).status).toBe(400)
})

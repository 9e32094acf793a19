import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { boot, faultIn, jobsOf, place, startApi, type Answer, type TestApi } from '../../fixture.ts'

let api: TestApi
beforeAll(async () => {
  api = await startApi()
})
afterAll(async () => {
  await api.stop()
})

async function act(id: string, body: unknown): Promise<Answer> {
  return await api.member(`POST /compute/v2.1/servers/${id}/action`, { body })
}

const freezes = [
  ['pause', 'active', 'pausing'],
  ['unpause', 'paused', 'unpausing'],
  ['suspend', 'active', 'suspending'],
  ['resume', 'suspended', 'resuming'],
] as const

test.each(freezes)('%s shows its task and is a job of the host', async (action, from, task) => {
  const id = await boot(api)
  await place(api.db, id, from)
  const answer = await act(id, { [action]: null })
  expect([answer.status, answer.body]).toEqual([202, undefined])
  expect(await api.db('servers').where({ id }).first()).toMatchObject({ vmState: from, taskState: task })
  expect((await jobsOf(api.db, id)).at(-1)?.taskIdentifier).toBe(`host-1/server.${action}`)
  expect(await api.db('server_actions').where({ serverId: id }).orderBy('id', 'desc').first()).toMatchObject({ action })
})

test.each(freezes.map(([action]) => action))(
  '%s of a stopped server is refused in the words of Nova',
  async (action) => {
    const id = await boot(api)
    await place(api.db, id, 'stopped')
    const answer = await act(id, { [action]: null })
    expect([answer.status, faultIn(answer)]).toEqual([
      409,
      ['conflictingRequest', `Cannot '${action}' instance ${id} while it is in vm_state stopped`],
    ])
  },
)

test('a paused or suspended server is neither stopped nor paused again, but rebooted the hard way', async () => {
  for (const state of ['paused', 'suspended'] as const) {
    const id = await boot(api)
    await place(api.db, id, state)
    expect((await act(id, { 'os-stop': null })).status).toBe(409)
    expect((await act(id, { pause: null })).status).toBe(409)
    expect((await act(id, { reboot: { type: 'SOFT' } })).status).toBe(409)
    expect((await act(id, { reboot: { type: 'HARD' } })).status).toBe(202)
  }
})

test('a hard reboot interrupts a pause that hangs; nothing else does', async () => {
  const id = await boot(api)
  await place(api.db, id)
  await act(id, { pause: null })
  const refused = await act(id, { suspend: null })
  expect(faultIn(refused)[1]).toBe(`Cannot 'suspend' instance ${id} while it is in task_state pausing`)
  expect((await act(id, { reboot: { type: 'HARD' } })).status).toBe(202)
})

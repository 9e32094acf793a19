import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { claim } from '../../../../db/hosts.ts'
import { setQuota, useOf } from '../../../../db/quotas.ts'
import { endStep, openResize } from '../../../../db/resize.ts'
import { getServer } from '../../../../db/servers.ts'
import { addHost, boot, faultIn, jobsOf, place, startApi, type Answer, type TestApi } from '../../fixture.ts'

let api: TestApi
beforeAll(async () => {
  api = await startApi()
  await addHost(api.db, 'host-1')
})
afterEach(async () => {
  await api.db('allocations').delete()
})
afterAll(async () => {
  await api.stop()
})

async function act(id: string, body: unknown): Promise<Answer> {
  return await api.member(`POST /compute/v2.1/servers/${id}/action`, { body })
}

/** A server of flavor 2 (1 CPU, 512 MiB, 1 GiB) with its place on the host. */
async function standing(vmState: 'active' | 'stopped' = 'active'): Promise<string> {
  const id = await boot(api, { flavorRef: '2' })
  await place(api.db, id, vmState)
  await api.db.transaction((trx) => claim(trx, { serverId: id, host: 'host-1', vcpus: 1, memoryMiB: 512, diskGiB: 1 }))
  return id
}

/** What the agent would have done. */
async function settle(id: string, step: 'finished' | 'confirmed' | 'reverted'): Promise<void> {
  const server = await getServer(api.db, id)
  const { oldFlavor, newFlavor } = await openResize(api.db, id)
  const during = { finished: 'resize_prep', confirmed: 'resize_confirming', reverted: 'resize_reverting' } as const
  const to = step === 'finished' ? 'resized' : 'active'
  const flavor = step === 'reverted' ? oldFlavor : newFlavor
  await endStep(api.db, server, { during: during[step], to, powerState: 1, status: step, flavor })
}

async function promised(id: string): Promise<unknown> {
  return await api.db('allocations').where({ serverId: id }).first('vcpus', 'memoryMiB', 'diskGiB')
}

test.each(['active', 'stopped'] as const)(
  'resize of an %s server is a job of its host, and keeps both sizes',
  async (state) => {
    const id = await standing(state)
    const answer = await act(id, { resize: { flavorRef: '3', 'OS-DCF:diskConfig': 'AUTO' } })
    expect([answer.status, answer.body]).toEqual([202, undefined])
    expect((await jobsOf(api.db, id)).at(-1)?.taskIdentifier).toBe('host-1/server.resize')
    const shown = await api.member(`GET /compute/v2.1/servers/${id}`)
    expect(shown.body).toMatchObject({ server: { status: 'RESIZE', flavor: { id: '2' }, 'OS-DCF:diskConfig': 'AUTO' } })
    expect(await openResize(api.db, id)).toMatchObject({
      type: 'resize',
      status: 'migrating',
      oldFlavor: { id: '2' },
      newFlavor: { id: '3' },
      sourceHost: 'host-1',
      targetHost: 'host-1',
    })
    expect(await promised(id)).toEqual({ vcpus: 1, memoryMiB: 2048, diskGiB: 20 })
  },
)

test('until a resize is confirmed or reverted the larger size counts, on the host and in the quota', async () => {
  const id = await standing()
  const { ram } = await useOf(api.db, api.projectId)
  await act(id, { resize: { flavorRef: '3' } })
  await settle(id, 'finished')
  expect((await useOf(api.db, api.projectId)).ram).toBe(ram + 1536)
  const shown = await api.member(`GET /compute/v2.1/servers/${id}`)
  expect(shown.body).toMatchObject({ server: { status: 'VERIFY_RESIZE', flavor: { id: '3' } } })

  expect((await act(id, { revertResize: null })).status).toBe(202)
  expect(await api.db('servers').where({ id }).first()).toMatchObject({ taskState: 'resize_reverting' })
  await settle(id, 'reverted')
  expect(await promised(id)).toEqual({ vcpus: 1, memoryMiB: 512, diskGiB: 1 })
  expect((await useOf(api.db, api.projectId)).ram).toBe(ram)
  await expect(openResize(api.db, id)).rejects.toMatchObject({ kind: 'conflict' })

  await act(id, { resize: { flavorRef: '3' } })
  await settle(id, 'finished')
  const confirmed = await act(id, { confirmResize: null })
  expect([confirmed.status, confirmed.body]).toEqual([204, undefined])
  await settle(id, 'confirmed')
  expect(await promised(id)).toEqual({ vcpus: 1, memoryMiB: 2048, diskGiB: 20 })
  const statuses = await api.db('server_migrations').where({ serverId: id }).orderBy('id').pluck('status')
  expect(statuses).toEqual(['reverted', 'confirmed'])
})

test.each([
  ['the same flavor', { flavorRef: '2' }, 'When resizing, instances must change flavor!'],
  ['a flavor that is not there', { flavorRef: 'nope' }, 'Flavor nope could not be found.'],
  [
    'more than the host has',
    { flavorRef: '5' },
    /^No valid host was found\. host-1: it has no room for 4 vcpus, 8192 MiB/,
  ],
  ['no flavor', { flavorRef: '' }, /too short|not valid/],
  ['an unknown key', { flavorRef: '3', soon: true }, /'soon' was unexpected/],
])('a resize to %s is bad input, and changes nothing', async (_what, resize, message) => {
  const id = await standing()
  const answer = await act(id, { resize })
  expect([answer.status, faultIn(answer)]).toEqual([400, ['badRequest', expect.stringMatching(message)]])
  expect(await api.db('servers').where({ id }).first()).toMatchObject({ vmState: 'active', taskState: null })
  expect(await promised(id)).toEqual({ vcpus: 1, memoryMiB: 512, diskGiB: 1 })
})

test('a disk does not become smaller', async () => {
  const id = await standing()
  await act(id, { resize: { flavorRef: '3' } })
  await settle(id, 'finished')
  await act(id, { confirmResize: null })
  await settle(id, 'confirmed')
  const answer = await act(id, { resize: { flavorRef: '2' } })
  expect([answer.status, faultIn(answer)[1]]).toEqual([400, 'Unable to resize disk down: 20 GiB to 1 GiB.'])
})

test('a resize over the quota is forbidden, one to a smaller size never is', async () => {
  const id = await standing()
  const { ram } = await useOf(api.db, api.projectId)
  await setQuota(api.db, api.projectId, 'ram', ram)
  try {
    const answer = await act(id, { resize: { flavorRef: '3' } })
    expect([answer.status, faultIn(answer)]).toEqual([
      403,
      ['forbidden', `Quota exceeded for ram: Requested 1536, but already used ${ram} of ${ram} ram`],
    ])
    await setQuota(api.db, api.projectId, 'ram', 1)
    expect((await act(id, { resize: { flavorRef: '1' } })).status).toBe(202)
  } finally {
    await setQuota(api.db, api.projectId, 'ram', -1)
  }
})

test.each([
  ['resize', { flavorRef: '3' }, 'paused'],
  ['confirmResize', null, 'active'],
  ['revertResize', null, 'stopped'],
] as const)('%s is refused in other states in the words of Nova', async (action, value, state) => {
  const id = await standing()
  await place(api.db, id, state)
  const answer = await act(id, { [action]: value })
  expect([answer.status, faultIn(answer)[1]]).toEqual([
    409,
    `Cannot '${action}' instance ${id} while it is in vm_state ${state}`,
  ])
})

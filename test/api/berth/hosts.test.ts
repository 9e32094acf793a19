import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { z } from 'zod'
import { registerHost } from '../../../db/hosts.ts'
import { addHost, boot, faultIn, startApi, type Answer, type TestApi } from '../fixture.ts'
import { hostShape } from '../../../api/berth/hosts.ts'

let api: TestApi
beforeAll(async () => {
  api = await startApi()
  await addHost(api.db, 'host-1')
  await addHost(api.db, 'host-2')
})
afterAll(async () => {
  await api.stop()
})

const one = z.strictObject({ host: hostShape })
function hostIn({ status, body }: Answer): z.output<typeof hostShape> {
  if (status !== 200) throw new Error(JSON.stringify(body))
  return one.parse(body).host
}
const show = async () => hostIn(await api.admin('GET /berth/v1/hosts/host-1'))
const change = (body: unknown): Promise<Answer> => api.admin('PATCH /berth/v1/hosts/host-1', { body })

test('the list has every host, with what is free of it', async () => {
  const serverId = await boot(api)
  await api.db('allocations').insert({ serverId, host: 'host-1', vcpus: 2, memoryMiB: 1024, diskGiB: 10 })
  const { body } = await api.admin('GET /berth/v1/hosts')
  const { hosts } = z.strictObject({ hosts: z.array(hostShape) }).parse(body)
  expect(hosts.map(({ name, state, servers }) => [name, state, servers])).toEqual([
    ['host-1', 'up', 1],
    ['host-2', 'up', 0],
  ])
  expect(hosts[0]).toMatchObject({
    size: { vcpus: 4, memory_mib: 8192, disk_gib: 100 },
    reserved: { vcpus: 0, memory_mib: 512, disk_gib: 0 },
    promised: { vcpus: 2, memory_mib: 1024, disk_gib: 10 },
    free: { vcpus: 14, memory_mib: 6656, disk_gib: 90 },
  })
})

test.each(['disabled', 'draining', 'maintenance'] as const)('a host is %s until it is up again', async (state) => {
  expect(hostIn(await change({ state, reason: 'new disks' }))).toMatchObject({ state, reason: 'new disks' })
  const { body } = await api.admin('GET /compute/v2.1/os-services?host=host-1')
  expect(body).toMatchObject({ services: [{ status: 'disabled', disabled_reason: 'new disks' }] })
  expect(hostIn(await change({ state: 'up' }))).toMatchObject({ state: 'up', reason: null })
})

test('a host that is silent is down, whatever else it is', async () => {
  await api
    .db('hosts')
    .where({ name: 'host-1' })
    .update({ heartbeatAt: new Date(Date.now() - 300_000) })
  expect(await show()).toMatchObject({ state: 'down', reason: expect.stringMatching(/^its agent has been silent/) })
  await api.db('hosts').where({ name: 'host-1' }).update({ heartbeatAt: new Date() })
})

test('what an operator sets counts at once, stays when the agent starts anew, and goes back to its own', async () => {
  const report = {
    name: 'host-1',
    vcpus: 4,
    memoryMiB: 8192,
    diskGiB: 100,
    cpuRatio: 16,
    memoryRatio: 1.5,
    diskRatio: 1,
    reservedVcpus: 1,
    reservedMemoryMiB: 256,
    reservedDiskGiB: 3,
    rack: null,
    hypervisorType: 'docker',
    hypervisorVersion: '27.5.1',
    traits: { datapath: 'system', storageDriver: 'overlay2', cgroupVersion: 2, enforcesDisk: true },
    agentUrl: 'http://127.0.0.1:1',
    agentToken: '',
  }
  await registerHost(api.db, report)
  const set = { cpu_ratio: 2, reserved_memory_mib: 1024, rack: 'r7', traits: ['CUSTOM_SSD'] }
  const told = { ratios: { cpu: 2, memory: 1.5, disk: 1 }, reserved: { vcpus: 1, memory_mib: 1024, disk_gib: 3 } }
  expect(hostIn(await change(set))).toMatchObject(told)
  await registerHost(api.db, report)
  expect(await show()).toMatchObject({
    ...told,
    rack: 'r7',
    set: { cpuRatio: 2, reservedMemoryMiB: 1024, traits: ['CUSTOM_SSD'] },
    traits: [
      'CUSTOM_DATAPATH_SYSTEM',
      'CUSTOM_STORAGE_OVERLAY2',
      'CUSTOM_CGROUP_V2',
      'CUSTOM_DISK_QUOTA',
      'CUSTOM_SSD',
    ],
  })
  expect(hostIn(await change({ cpu_ratio: null, reserved_memory_mib: null, traits: [] }))).toMatchObject({
    ratios: { cpu: 16, memory: 1.5, disk: 1 },
    reserved: { vcpus: 1, memory_mib: 256, disk_gib: 3 },
    set: {},
  })
})

test.each([
  [{ reserved_memory_mib: 9000 }, /^reserved_memory_mib: 9000 is more than the 8192/],
  [{ cpu_ratio: 0 }, /cpu_ratio/],
  [{ traits: ['ssd'] }, /ssd. does not match/],
  [{ reason: 'why not' }, /^reason: it says why/],
  [{ state: 'up', reason: 'why not' }, /^reason: a host that is up has none/],
])('%j is refused, and nothing is changed', async (body, sentence) => {
  const before = await show()
  const answer = await change({ rack: 'elsewhere', ...body })
  expect(answer.status).toBe(400)
  expect(faultIn(answer)[1]).toMatch(sentence)
  expect((await show()).rack).toBe(before.rack)
})

test('a host that is not there is told with those that are; a member sees none', async () => {
  const gone = await api.admin('GET /berth/v1/hosts/gone')
  expect([gone.status, faultIn(gone)[1]]).toEqual([404, 'Host gone could not be found; there are: host-1, host-2.'])
  expect((await api.member('GET /berth/v1/hosts')).status).toBe(403)
})

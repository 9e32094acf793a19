import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { z } from 'zod'
import { boot, faultIn, jobsOf, place, startApi, type Answer, type TestApi } from '../../fixture.ts'

let api: TestApi
let second: string
beforeAll(async () => {
  api = await startApi()
  second = await makeNetwork('10.50.0.0/24')
})
afterAll(async () => {
  await api.stop()
})

const one = z.record(z.string(), z.looseObject({ id: z.uuid() }))
async function makeNetwork(cidr: string): Promise<string> {
  const network = await api.member('POST /networking/v2.0/networks', { body: { network: {} } })
  const id = one.parse(network.body).network?.id ?? ''
  await api.member('POST /networking/v2.0/subnets', { body: { subnet: { network_id: id, cidr } } })
  return id
}

async function placed(state: 'active' | 'stopped' | 'error' = 'active'): Promise<string> {
  const id = await boot(api)
  await place(api.db, id, state)
  await api.db('ports').where({ serverId: id }).update({ host: 'host-1', status: 'ACTIVE' })
  return id
}

async function attach(id: string, interfaceAttachment: unknown, version = '2.1'): Promise<Answer> {
  return await api.member(`POST /compute/v2.1/servers/${id}/os-interface`, { body: { interfaceAttachment }, version })
}

const attached = z.strictObject({
  interfaceAttachment: z.strictObject({
    port_id: z.uuid(),
    net_id: z.uuid(),
    mac_addr: z.string(),
    port_state: z.string(),
    fixed_ips: z.array(z.strictObject({ subnet_id: z.uuid(), ip_address: z.string() })),
  }),
})

async function jobNames(id: string): Promise<readonly string[]> {
  return (await jobsOf(api.db, id)).map(({ taskIdentifier }) => taskIdentifier)
}

test('a network is attached to a running server at the next place, and its host is told', async () => {
  const id = await placed()
  const answer = await attach(id, { net_id: second, fixed_ips: [{ ip_address: '10.50.0.77' }] })
  expect(answer.status).toBe(200)
  const { interfaceAttachment: made } = attached.parse(answer.body)
  expect(made).toMatchObject({ net_id: second, port_state: 'BUILD' })
  expect(made.fixed_ips.map(({ ip_address: address }) => address)).toEqual(['10.50.0.77'])
  expect(await jobNames(id)).toContain('host-1/server.wire')
  const row = await api.db('ports').where({ id: made.port_id }).first()
  expect(row).toMatchObject({ position: 1, isOwnedByServer: true, host: 'host-1', deviceOwner: 'compute:nova' })
  const { body } = await api.member(`GET /compute/v2.1/servers/${id}/os-instance-actions`)
  expect(body).toMatchObject({ instanceActions: [{ action: 'attach_interface' }, { action: 'create' }] })
})

test('a port of the user’s is attached with its tag, once', async () => {
  const id = await placed('stopped')
  const made = await api.member('POST /networking/v2.0/ports', { body: { port: { network_id: second } } })
  const portId = one.parse(made.body).port?.id ?? ''
  const answer = await attach(id, { port_id: portId, tag: 'backup' }, '2.70')
  expect(answer.body).toMatchObject({ interfaceAttachment: { port_id: portId, tag: 'backup' } })
  expect((await attach(id, { port_id: portId })).status).toBe(409)
  const { body } = await api.member(`GET /compute/v2.1/servers/${id}/os-interface`, { version: '2.70' })
  expect(body).toMatchObject({ interfaceAttachments: [{ tag: null }, { tag: 'backup' }] })
})

test.each([
  [{ net_id: '00000000-0000-4000-8000-000000000000' }, 404],
  [{ port_id: '00000000-0000-4000-8000-000000000000' }, 404],
  [{ net_id: 'x' }, 400],
  [{ fixed_ips: [{ ip_address: '10.50.0.9' }] }, 400],
  [{ tag: 'early' }, 400],
  [{ unknown: 1 }, 400],
  // Two networks are there to choose from.
  [{}, 409],
])('to attach %j is refused', async (wanted, status) => {
  expect((await attach(await placed(), wanted)).status).toBe(status)
})

test('a server in error, or with a change under way, gets and loses no port', async () => {
  const id = await placed('error')
  const refused = await attach(id, { net_id: second })
  expect([refused.status, faultIn(refused)[1]]).toEqual([
    409,
    `Cannot 'attach_interface' instance ${id} while it is in vm_state error`,
  ])
  await place(api.db, id)
  await api.db('servers').where({ id }).update({ taskState: 'rebooting' })
  expect((await attach(id, { net_id: second })).status).toBe(409)
})

test('a port is detached by the host, and then gone or the user’s again', async () => {
  const id = await placed()
  const { body } = await api.member(`GET /compute/v2.1/servers/${id}/os-interface`)
  const nics = z.object({ interfaceAttachments: z.array(attached.shape.interfaceAttachment) }).parse(body)
  const portId = nics.interfaceAttachments[0]?.port_id ?? ''
  const path = `/compute/v2.1/servers/${id}/os-interface`
  expect((await api.stranger(`DELETE ${path}/${portId}`)).status).toBe(404)
  expect((await api.member(`DELETE ${path}/00000000-0000-4000-8000-000000000000`)).status).toBe(404)
  const answer = await api.member(`DELETE ${path}/${portId}`)
  expect([answer.status, answer.body]).toEqual([202, undefined])
  const job = (await jobsOf(api.db, id)).find(({ taskIdentifier: name }) => name === 'host-1/server.detach')
  expect(job?.payload).toMatchObject({ serverId: id, portId })
})

test('fixed addresses are added and removed until 2.44', async () => {
  const id = await placed()
  const act = (body: unknown, version = '2.1') =>
    api.member(`POST /compute/v2.1/servers/${id}/action`, { body, version })
  const addresses = async (): Promise<readonly string[]> => {
    const { body } = await api.member(`GET /compute/v2.1/servers/${id}/ips`)
    const shape = z.object({ addresses: z.record(z.string(), z.array(z.looseObject({ addr: z.string() }))) })
    return (shape.parse(body).addresses.private ?? []).map(({ addr }) => addr)
  }
  const [before] = await addresses()
  expect((await act({ addFixedIp: { networkId: api.networkId } })).status).toBe(202)
  const both = await addresses()
  expect(both).toHaveLength(2)
  expect((await act({ removeFixedIp: { address: before } })).status).toBe(202)
  expect(await addresses()).toEqual(both.filter((address) => address !== before))
  expect((await act({ removeFixedIp: { address: before } })).status).toBe(400)
  expect((await act({ addFixedIp: { networkId: second } })).status).toBe(400)
  expect((await act({ addFixedIp: { networkId: api.networkId } }, '2.44')).status).toBe(404)
  const jobs = (await jobsOf(api.db, id)).filter(({ taskIdentifier: name }) => name === 'host-1/server.wire')
  expect(jobs.map(({ payload }) => payload.gone)).toEqual([[], [expect.objectContaining({ address: before })]])
})

test('a security group is put on all ports of a server, by name or by id, and taken off', async () => {
  const id = await placed()
  const made = await api.member('POST /networking/v2.0/security-groups', { body: { security_group: { name: 'ssh' } } })
  const groupId = one.parse(made.body).security_group?.id ?? ''
  const act = (body: unknown) => api.member(`POST /compute/v2.1/servers/${id}/action`, { body })
  const names = async (): Promise<readonly string[]> => {
    const { body } = await api.member(`GET /compute/v2.1/servers/${id}/os-security-groups`)
    const shape = z.object({ security_groups: z.array(z.looseObject({ name: z.string() })) })
    return shape.parse(body).security_groups.map(({ name }) => name)
  }
  expect((await act({ addSecurityGroup: { name: 'ssh' } })).status).toBe(202)
  expect(await names()).toEqual(['default', 'ssh'])
  expect((await act({ removeSecurityGroup: { name: groupId } })).status).toBe(202)
  expect(await names()).toEqual(['default'])
  expect((await act({ removeSecurityGroup: { name: groupId } })).status).toBe(404)
  expect((await act({ addSecurityGroup: { name: 'nope' } })).status).toBe(404)
})

test('virtual interfaces are gone', async () => {
  const id = await placed()
  expect((await api.member(`GET /compute/v2.1/servers/${id}/os-virtual-interfaces`)).status).toBe(410)
})

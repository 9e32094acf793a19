import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { z } from 'zod'
import { boot, startApi, type Answer, type TestApi } from '../fixture.ts'

let api: TestApi
beforeAll(async () => {
  api = await startApi()
})
afterAll(async () => {
  await api.stop()
})

const id = z.object({ id: z.uuid() })
const fault = z.strictObject({
  NeutronError: z.strictObject({ type: z.string(), message: z.string(), detail: z.literal('') }),
})

function faultOf({ status, body }: Answer): readonly [number, string] {
  return [status, fault.parse(body).NeutronError.type]
}

async function makeNetwork(network: unknown = { name: 'n' }): Promise<string> {
  const answer = await api.member('POST /networking/v2.0/networks', { body: { network } })
  expect(answer.status).toBe(201)
  return z.object({ network: id }).parse(answer.body).network.id
}

async function makeSubnet(networkId: string, more: Readonly<Record<string, unknown>> = {}): Promise<Answer> {
  const subnet = { network_id: networkId, ip_version: 4, cidr: '10.99.0.0/24', ...more }
  return await api.member('POST /networking/v2.0/subnets', { body: { subnet } })
}

async function makePort(networkId: string, more: Readonly<Record<string, unknown>> = {}): Promise<Answer> {
  return await api.member('POST /networking/v2.0/ports', { body: { port: { network_id: networkId, ...more } } })
}

const port = z.object({
  port: z.object({
    id: z.uuid(),
    mac_address: z.string(),
    status: z.string(),
    fixed_ips: z.array(z.strictObject({ subnet_id: z.uuid(), ip_address: z.string() })),
    security_groups: z.array(z.uuid()),
  }),
})

test('a network with a subnet gives ports their addresses, and goes when nobody is on it', async () => {
  const networkId = await makeNetwork()
  const subnet = await makeSubnet(networkId)
  expect(subnet.body).toMatchObject({
    subnet: { gateway_ip: '10.99.0.1', allocation_pools: [{ start: '10.99.0.2', end: '10.99.0.254' }], ip_version: 4 },
  })
  const made = port.parse((await makePort(networkId)).body).port
  expect(made.fixed_ips.map(({ ip_address: address }) => address)).toEqual(['10.99.0.2'])
  expect(made.security_groups).toHaveLength(1)
  expect(faultOf(await api.member(`DELETE /networking/v2.0/networks/${networkId}`))).toEqual([409, 'NetworkInUse'])
  expect((await api.member(`DELETE /networking/v2.0/ports/${made.id}`)).status).toBe(204)
  expect((await api.member(`DELETE /networking/v2.0/networks/${networkId}`)).status).toBe(204)
  const { rows } = await api.db.raw<{ rows: unknown[] }>(
    `select from pg_sequences where sequencename ~ '^ip_range_[0-9]+$'`,
  )
  expect(rows).toHaveLength(1)
})

test('an address is given once, and only on its network', async () => {
  const networkId = await makeNetwork()
  await makeSubnet(networkId)
  const wish = { fixed_ips: [{ ip_address: '10.99.0.50' }] }
  expect((await makePort(networkId, wish)).status).toBe(201)
  expect(faultOf(await makePort(networkId, wish))).toEqual([409, 'IpAddressAlreadyAllocated'])
  expect((await makePort(networkId, { fixed_ips: [{ ip_address: '192.0.2.1' }] })).status).toBe(400)
  expect((await makePort(networkId, { fixed_ips: [{}] })).status).toBe(400)
  const without = port.parse((await makePort(networkId, { fixed_ips: [] })).body).port
  expect(without.fixed_ips).toEqual([])
})

test('of ports at the same time each gets its own address, until there is none', async () => {
  const networkId = await makeNetwork()
  await makeSubnet(networkId, { cidr: '10.98.0.0/29' })
  const answers = await Promise.all(Array.from({ length: 8 }, () => makePort(networkId)))
  const given = answers.flatMap(({ status, body }) => (status === 201 ? port.parse(body).port.fixed_ips : []))
  expect(new Set(given.map(({ ip_address: address }) => address)).size).toBe(5)
  const refused = answers.filter(({ status }) => status !== 201)
  expect(refused.map(faultOf)).toEqual(Array.from({ length: 3 }, () => [409, 'IpAddressGenerationFailure']))
})

test('a subnet with an address in use stays', async () => {
  const networkId = await makeNetwork()
  const { id: subnetId } = z.object({ subnet: id }).parse((await makeSubnet(networkId)).body).subnet
  const made = port.parse((await makePort(networkId)).body).port
  expect(faultOf(await api.member(`DELETE /networking/v2.0/subnets/${subnetId}`))).toEqual([409, 'SubnetInUse'])
  await api.member(`DELETE /networking/v2.0/ports/${made.id}`)
  expect((await api.member(`DELETE /networking/v2.0/subnets/${subnetId}`)).status).toBe(204)
})

test.each([
  ['an overlap', { cidr: '10.99.0.128/25' }, 400],
  ['no subnet', { cidr: 'x' }, 400],
  ['a gateway outside', { cidr: '10.97.0.0/24', gateway_ip: '10.1.0.1' }, 400],
  ['a pool outside', { cidr: '10.97.0.0/24', allocation_pools: [{ start: '10.1.0.1', end: '10.1.0.9' }] }, 400],
  ['another IP version', { cidr: '10.97.0.0/24', ip_version: 6 }, 400],
])('a subnet with %s is refused', async (_what, more, status) => {
  const networkId = await makeNetwork()
  await makeSubnet(networkId)
  expect((await makeSubnet(networkId, more)).status).toBe(status)
})

test('the port of a server is shown with its device, to its own project', async () => {
  const serverId = await boot(api)
  const { body } = await api.member(`GET /networking/v2.0/ports?device_id=${serverId}`)
  const [nic] = z
    .object({ ports: z.array(z.looseObject({ id: z.uuid(), device_owner: z.string() })) })
    .parse(body).ports
  expect(nic).toMatchObject({ device_id: serverId, device_owner: 'compute:nova', network_id: api.networkId })
  expect(nic).not.toHaveProperty('binding:host_id')
  expect((await api.stranger(`GET /networking/v2.0/ports/${nic?.id ?? ''}`)).status).toBe(404)
})

test('lists are filtered by name, by id given twice, by address, and show the fields asked for', async () => {
  const ids = async (path: string, key: string): Promise<number> => {
    const { body } = await api.member(`GET /networking/v2.0/${path}`)
    return z.record(z.string(), z.array(z.unknown())).parse(body)[key]?.length ?? -1
  }
  const networkId = await makeNetwork({ name: 'named' })
  expect(await ids('networks?name=named', 'networks')).toBe(1)
  expect(await ids(`networks?id=${networkId}&id=${api.networkId}`, 'networks')).toBe(2)
  expect(await ids('networks?router:external=True', 'networks')).toBe(0)
  expect(await ids('ports?fixed_ips=ip_address%3D10.99.0.50', 'ports')).toBe(1)
  expect((await api.member('GET /networking/v2.0/networks/named')).status).toBe(404)
  const { body } = await api.member(`GET /networking/v2.0/networks/${networkId}?fields=id&fields=name`)
  expect(body).toEqual({ network: { id: networkId, name: 'named' } })
})

test('a shared network is everybody’s to use and the administrators’ to make and delete', async () => {
  const body = { network: { name: 'x', shared: true } }
  expect((await api.member('POST /networking/v2.0/networks', { body })).status).toBe(403)
  expect((await api.member(`GET /networking/v2.0/networks/${api.networkId}`)).status).toBe(200)
  expect((await api.member(`DELETE /networking/v2.0/networks/${api.networkId}`)).status).toBe(403)
  const own = await makeNetwork()
  expect((await api.stranger(`GET /networking/v2.0/networks/${own}`)).status).toBe(404)
})

test('a project that looks finds its default group with Neutron’s four rules', async () => {
  const rule = z.object({ direction: z.string(), ethertype: z.string(), remote_group_id: z.string().nullable() })
  const groups = z.strictObject({
    security_groups: z.array(z.looseObject({ id: z.uuid(), name: z.string(), security_group_rules: z.array(rule) })),
  })
  const looks = await Promise.all([1, 2, 3].map(() => api.stranger('GET /networking/v2.0/security-groups')))
  for (const { body } of looks) {
    const [group, ...others] = groups.parse(body).security_groups
    expect(others).toEqual([])
    expect(group?.name).toBe('default')
    const rules = group?.security_group_rules.map(({ direction, ethertype, remote_group_id: remote }) =>
      [direction, ethertype, remote === group.id].join(' '),
    )
    expect(rules?.toSorted()).toEqual([
      'egress IPv4 false',
      'egress IPv6 false',
      'ingress IPv4 true',
      'ingress IPv6 true',
    ])
  }
})

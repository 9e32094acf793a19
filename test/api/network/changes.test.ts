/** Networks, subnets and ports that change. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { z } from 'zod'
import { vifsOf } from '../../../db/vifs.ts'
import { boot, jobsOf, place, startApi, type Answer, type TestApi } from '../fixture.ts'

let api: TestApi
beforeAll(async () => {
  api = await startApi()
})
afterAll(async () => {
  await api.stop()
})

const fault = z.strictObject({
  NeutronError: z.strictObject({ type: z.string(), message: z.string(), detail: z.literal('') }),
})
function faultOf({ status, body }: Answer): readonly [number, string] {
  return [status, fault.parse(body).NeutronError.type]
}

const one = z.record(z.string(), z.looseObject({ id: z.uuid() }))
async function make(kind: 'network' | 'subnet' | 'port', wanted: Readonly<Record<string, unknown>>): Promise<string> {
  const answer = await api.member(`POST /networking/v2.0/${kind}s`, { body: { [kind]: wanted } })
  if (answer.status !== 201) throw new Error(JSON.stringify(answer.body))
  return one.parse(answer.body)[kind]?.id ?? ''
}

async function put(path: string, body: unknown): Promise<Answer> {
  return await api.member(`PUT /networking/v2.0/${path}`, { body })
}

const port = z.object({
  port: z.looseObject({
    id: z.uuid(),
    mac_address: z.string(),
    revision_number: z.number(),
    fixed_ips: z.array(z.strictObject({ subnet_id: z.uuid(), ip_address: z.string() })),
  }),
})

async function addressesOf(id: string): Promise<readonly string[]> {
  const { body } = await api.member(`GET /networking/v2.0/ports/${id}`)
  return port.parse(body).port.fixed_ips.map(({ ip_address: address }) => address)
}

test('a network changes its name, and is shared only by an administrator', async () => {
  const id = await make('network', { name: 'before' })
  const changed = await put(`networks/${id}`, { network: { name: 'after', description: 'd', admin_state_up: false } })
  expect(changed.body).toMatchObject({
    network: { name: 'after', description: 'd', admin_state_up: false, revision_number: 1 },
  })
  expect(faultOf(await put(`networks/${id}`, { network: { shared: true } }))).toEqual([403, 'PolicyNotAuthorized'])
  expect((await put(`networks/${id}`, { network: { mtu: 1400 } })).status).toBe(400)
  expect((await put(`networks/${api.networkId}`, { network: { name: 'mine' } })).status).toBe(403)
  expect((await api.stranger(`PUT /networking/v2.0/networks/${id}`, { body: { network: {} } })).status).toBe(404)
  const share = (shared: boolean) => api.admin(`PUT /networking/v2.0/networks/${id}`, { body: { network: { shared } } })
  expect((await share(true)).body).toMatchObject({ network: { shared: true } })
  const foreign = await api.stranger('POST /networking/v2.0/ports', { body: { port: { network_id: id } } })
  expect(foreign.status).toBe(201)
  expect(faultOf(await share(false))).toEqual([409, 'InvalidSharedSetting'])
})

test('a subnet changes its names, servers, routes, gateway and pools while ports are on it', async () => {
  const network = await make('network', {})
  const id = await make('subnet', {
    network_id: network,
    cidr: '10.60.0.0/24',
    allocation_pools: [{ start: '10.60.0.10', end: '10.60.0.11' }],
  })
  const [first, second] = [await make('port', { network_id: network }), await make('port', { network_id: network })]
  const full = await api.member('POST /networking/v2.0/ports', { body: { port: { network_id: network } } })
  expect(faultOf(full)).toEqual([409, 'IpAddressGenerationFailure'])
  const subnet = {
    name: 'n',
    dns_nameservers: ['192.0.2.53'],
    host_routes: [{ destination: '10.61.0.9/16', nexthop: '10.60.0.7' }],
    gateway_ip: '10.60.0.254',
    allocation_pools: [{ start: '10.60.0.11', end: '10.60.0.12' }],
  }
  const changed = await put(`subnets/${id}`, { subnet })
  expect(changed.body).toMatchObject({
    subnet: { ...subnet, host_routes: [{ destination: '10.61.0.0/16', nexthop: '10.60.0.7' }] },
  })
  const third = await make('port', { network_id: network })
  expect([await addressesOf(first), await addressesOf(second), await addressesOf(third)].flat()).toEqual([
    '10.60.0.10',
    '10.60.0.11',
    '10.60.0.12',
  ])
  await api.member(`DELETE /networking/v2.0/ports/${first}`)
  const outside = await api.member('POST /networking/v2.0/ports', { body: { port: { network_id: network } } })
  expect(faultOf(outside)).toEqual([409, 'IpAddressGenerationFailure'])
})

test.each([
  [{ gateway_ip: '10.1.0.1' }, 400, 'InvalidInput'],
  [{ gateway_ip: '10.62.0.10' }, 409, 'GatewayIpInUse'],
  [{ gateway_ip: '10.62.0.11' }, 409, 'GatewayConflictWithAllocationPools'],
  [{ allocation_pools: [{ start: '10.62.0.9', end: '10.62.1.9' }] }, 400, 'OutOfBoundsAllocationPool'],
  [{ allocation_pools: [{ start: '10.62.0.9', end: '10.62.0.8' }] }, 400, 'InvalidAllocationPool'],
  [{ host_routes: [{ destination: 'fd00::/64', nexthop: '10.62.0.7' }] }, 400, 'HostRouteInvalid'],
])('a subnet refuses %j', async (wanted, status, type) => {
  const network = await make('network', {})
  const id = await make('subnet', {
    network_id: network,
    cidr: '10.62.0.0/24',
    allocation_pools: [{ start: '10.62.0.10', end: '10.62.0.20' }],
  })
  await make('port', { network_id: network })
  expect(faultOf(await put(`subnets/${id}`, { subnet: wanted }))).toEqual([status, type])
})

test('a network with IPv4 and IPv6 gives a port an address of each', async () => {
  const network = await make('network', {})
  await make('subnet', { network_id: network, cidr: '10.63.0.0/24' })
  const six = await make('subnet', { network_id: network, cidr: 'fd00:63::/64', ip_version: 6 })
  const id = await make('port', { network_id: network })
  expect(await addressesOf(id)).toEqual(['10.63.0.2', 'fd00:63::2'])
  const more = await put(`ports/${id}`, {
    port: { fixed_ips: [{ ip_address: '10.63.0.2' }, { subnet_id: six }, { ip_address: 'fd00:63::ffff' }] },
  })
  expect(port.parse(more.body).port.fixed_ips.map(({ ip_address: address }) => address)).toEqual([
    '10.63.0.2',
    'fd00:63::2',
    'fd00:63::ffff',
  ])
})

test('a port changes its addresses, keeps the named ones, and gives the others back', async () => {
  const network = await make('network', {})
  const subnet = await make('subnet', { network_id: network, cidr: '10.64.0.0/24' })
  const id = await make('port', { network_id: network })
  const change = async (fixedIps: readonly unknown[]): Promise<Answer> =>
    await put(`ports/${id}`, { port: { fixed_ips: fixedIps } })
  await change([{ subnet_id: subnet, ip_address: '10.64.0.2' }, { subnet_id: subnet }])
  expect(await addressesOf(id)).toEqual(['10.64.0.2', '10.64.0.3'])
  await change([{ ip_address: '10.64.0.3' }, { ip_address: '10.64.0.77' }])
  expect(await addressesOf(id)).toEqual(['10.64.0.3', '10.64.0.77'])
  await make('port', { network_id: network, fixed_ips: [{ ip_address: '10.64.0.2' }] })
  expect(faultOf(await change([{ ip_address: '10.64.0.2' }]))).toEqual([409, 'IpAddressAlreadyAllocated'])
  expect(faultOf(await change([{ ip_address: '192.0.2.1' }]))).toEqual([400, 'InvalidIpForNetwork'])
  expect(await addressesOf(id)).toEqual(['10.64.0.3', '10.64.0.77'])
  await change([])
  expect(await addressesOf(id)).toEqual([])
})

test('port security, address pairs and groups go together as Neutron has it', async () => {
  const network = await make('network', {})
  const id = await make('port', { network_id: network, name: 'p', dns_name: 'p' })
  const path = `ports/${id}`
  expect(faultOf(await put(path, { port: { port_security_enabled: false } }))).toEqual([
    409,
    'PortSecurityPortHasSecurityGroup',
  ])
  const pairs = [{ ip_address: '10.9.0.0/24' }, { ip_address: '10.9.1.1', mac_address: 'FA:16:3E:00:00:09' }]
  const paired = await put(path, { port: { allowed_address_pairs: pairs } })
  const { mac_address: mac } = port.parse(paired.body).port
  expect(paired.body).toMatchObject({
    port: {
      dns_name: 'p',
      allowed_address_pairs: [
        { ip_address: '10.9.0.0/24', mac_address: mac },
        { ip_address: '10.9.1.1', mac_address: 'fa:16:3e:00:00:09' },
      ],
    },
  })
  const twice = { allowed_address_pairs: [{ ip_address: '10.9.0.1' }, { ip_address: '10.9.0.1' }] }
  expect(faultOf(await put(path, { port: twice }))).toEqual([400, 'DuplicateAddressPairInRequest'])
  const open = { port_security_enabled: false, security_groups: [], allowed_address_pairs: [] }
  expect((await put(path, { port: open })).body).toMatchObject({ port: open })
  expect(faultOf(await put(path, { port: { mac_address: 'fa:16:3e:00:00:0a' } }))).toEqual([403, 'PolicyNotAuthorized'])
  const insecure = await make('network', { port_security_enabled: false })
  const unguarded = await make('port', { network_id: insecure })
  expect((await api.member(`GET /networking/v2.0/ports/${unguarded}`)).body).toMatchObject({
    port: { port_security_enabled: false, security_groups: [] },
  })
})

test('the guest that has the port is told, and the port is not given to another device', async () => {
  const server = await boot(api)
  await place(api.db, server)
  await api.db('ports').where({ serverId: server }).update({ host: 'host-1' })
  const { body } = await api.member(`GET /networking/v2.0/ports?device_id=${server}`)
  const [nic] = z.object({ ports: z.array(port.shape.port) }).parse(body).ports
  const path = `ports/${nic?.id ?? ''}`
  expect(faultOf(await put(path, { port: { device_id: 'other' } }))).toEqual([409, 'PortInUse'])
  const old = nic?.fixed_ips[0]?.ip_address
  expect((await put(path, { port: { fixed_ips: [{ ip_address: '10.77.2.2' }] } })).status).toBe(200)
  const jobs = (await jobsOf(api.db, server)).filter(({ taskIdentifier: name }) => name.endsWith('/server.wire'))
  expect(jobs.map(({ payload }) => payload.gone)).toEqual([
    [{ portId: nic?.id, address: old, prefixLength: 22 }].filter(() => old !== undefined),
  ])
})

test('a port that is deleted leaves the guest that has it', async () => {
  const server = await boot(api)
  await place(api.db, server)
  await api.db('ports').where({ serverId: server }).update({ host: 'host-1' })
  const { id = '' } = (await api.db('ports').where({ serverId: server }).first('id')) ?? {}
  expect((await api.member(`DELETE /networking/v2.0/ports/${id}`)).status).toBe(204)
  expect((await api.member(`GET /networking/v2.0/ports/${id}`)).status).toBe(404)
  expect((await api.member(`GET /compute/v2.1/servers/${server}/os-interface`)).body).toEqual({
    interfaceAttachments: [],
  })
  const jobs = (await jobsOf(api.db, server)).filter(({ taskIdentifier: name }) => name === 'host-1/server.detach')
  expect(jobs.map(({ payload }) => payload.portId)).toEqual([id])
})

test('lists come in order, in pages, with links, and by any field', async () => {
  const network = await make('network', { name: 'paged' })
  for (const name of ['c', 'a', 'b']) await make('port', { network_id: network, name })
  const list = async (query: string) => {
    const { body } = await api.member(`GET /networking/v2.0/ports?network_id=${network}&${query}`)
    const shape = z.strictObject({
      ports: z.array(z.looseObject({ id: z.uuid(), name: z.string() })),
      ports_links: z.array(z.strictObject({ rel: z.string(), href: z.url() })).optional(),
    })
    return shape.parse(body)
  }
  const names = async (query: string): Promise<string> => (await list(query)).ports.map(({ name }) => name).join('')
  expect(await names('sort_key=name&sort_dir=desc')).toBe('cba')
  const page = await list('sort_key=name&limit=2')
  expect(page.ports.map(({ name }) => name)).toEqual(['a', 'b'])
  const next = page.ports_links?.find(({ rel }) => rel === 'next')?.href ?? ''
  const { body } = await api.member(`GET ${new URL(next).pathname}${new URL(next).search}`)
  expect(body).toMatchObject({ ports: [{ name: 'c' }], ports_links: [{ rel: 'previous' }] })
  expect(await names(`sort_key=name&limit=1&page_reverse=True&marker=${page.ports[1]?.id ?? ''}`)).toBe('a')
  expect(await names('name=a&name=c&sort_key=name')).toBe('ac')
  expect(await names('mac_address=00:00:00:00:00:00')).toBe('')
  expect(await names('admin_state_up=False')).toBe('')
  expect((await api.member('GET /networking/v2.0/ports?limit=-1')).status).toBe(400)
  expect((await api.member('GET /networking/v2.0/ports?sort_key=nope')).status).toBe(400)
  expect((await api.member(`GET /networking/v2.0/ports?marker=${network}`)).status).toBe(404)
})

test('several ports are made in one request, and an administrator sees where they are bound', async () => {
  const network = await make('network', {})
  const ports = [{ network_id: network }, { network_id: network }]
  const made = await api.member('POST /networking/v2.0/ports', { body: { ports } })
  expect(z.object({ ports: z.array(port.shape.port) }).parse(made.body).ports).toHaveLength(2)
  const { body } = await api.admin(`GET /networking/v2.0/ports?network_id=${network}`)
  expect(body).toMatchObject({ ports: [{ 'binding:vif_type': 'unbound', 'binding:host_id': '' }, {}] })
})

test('what there is none of is an empty list, and what there is of the extensions is named', async () => {
  expect((await api.member('GET /networking/v2.0/floatingips?port_id=x')).body).toEqual({ floatingips: [] })
  expect((await api.member('GET /networking/v2.0/routers')).body).toEqual({ routers: [] })
  expect((await api.admin('GET /networking/v2.0/agents')).body).toEqual({ agents: [] })
  expect((await api.member('GET /networking/v2.0/agents')).status).toBe(403)
  expect((await api.member('GET /networking/v2.0/extensions/standard-attr-tag')).status).toBe(200)
  expect(faultOf(await api.member('GET /networking/v2.0/extensions/router'))).toEqual([404, 'ExtensionNotFound'])
})

test('a port is down while it, or its network, is taken down', async () => {
  const network = await make('network', { name: 'lit' })
  await make('subnet', { network_id: network, cidr: '10.66.0.0/24' })
  const server = await boot(api, { networks: [{ uuid: network }] })
  const [vif] = await vifsOf(api.db, server)
  const isUp = async (): Promise<unknown> => (await vifsOf(api.db, server))[0]?.isUp
  expect(await isUp()).toBe(true)
  await put(`networks/${network}`, { network: { admin_state_up: false } })
  expect(await isUp()).toBe(false)
  await put(`networks/${network}`, { network: { admin_state_up: true } })
  const down = await put(`ports/${vif?.portId ?? ''}`, { port: { admin_state_up: false } })
  expect(down.body).toMatchObject({ port: { status: 'DOWN', admin_state_up: false } })
  expect(await isUp()).toBe(false)
})

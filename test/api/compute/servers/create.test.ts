import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { z } from 'zod'
import { setQuota, useOf } from '../../../../db/quotas.ts'
import { boot, bootBody, faultIn, jobsOf, startApi, type Answer, type TestApi } from '../../fixture.ts'

let api: TestApi
beforeAll(async () => {
  api = await startApi()
})
afterAll(async () => {
  await api.stop()
})

const link = z.strictObject({ rel: z.string(), href: z.url() })
const reply = z.strictObject({
  server: z.strictObject({
    id: z.uuid(),
    links: z.array(link),
    'OS-DCF:diskConfig': z.enum(['MANUAL', 'AUTO']),
    security_groups: z.array(z.strictObject({ name: z.string() })),
    adminPass: z.string().min(12),
  }),
})

async function post(more: Readonly<Record<string, unknown>>, version?: string): Promise<Answer> {
  const asked = { body: bootBody(api, more) }
  return await api.member('POST /compute/v2.1/servers', version === undefined ? asked : { ...asked, version })
}

async function addressesOf(serverId: string): Promise<readonly string[]> {
  const { rows } = await api.db.raw<{ rows: { address: string }[] }>(
    'select host(a.address) as address from addresses a join ports p on p.id = a.port_id where p.server_id = ? order by p.position',
    [serverId],
  )
  return rows.map(({ address }) => address)
}

test('a new server is a row, a port with an address, an action and a job for the scheduler, all at once', async () => {
  const answer = await post({ metadata: { role: 'shop' }, user_data: 'IyEvYmluL3NoCg==' })
  expect(answer.status).toBe(202)
  const { server } = reply.parse(answer.body)
  expect(answer.headers.get('location')).toBe(`${api.url}/compute/v2.1/servers/${server.id}`)
  const requestId = answer.headers.get('x-compute-request-id')
  expect(requestId).toMatch(/^req-/)
  expect(await api.db('servers').where({ id: server.id }).first()).toMatchObject({
    vmState: 'building',
    taskState: 'scheduling',
    projectId: api.projectId,
    userId: 'user-mia',
    hostname: 'web',
    metadata: { role: 'shop' },
    userData: 'IyEvYmluL3NoCg==',
    flavor: { id: '1', name: 'm1.nano', vcpus: 1, memoryMiB: 128, diskGiB: 1, extraSpecs: {} },
  })
  expect(await addressesOf(server.id)).toHaveLength(1)
  expect(await api.db('server_actions').where({ serverId: server.id }).first()).toMatchObject({
    action: 'create',
    requestId,
  })
  expect(await jobsOf(api.db, server.id)).toEqual([
    {
      taskIdentifier: 'schedule',
      payload: { serverId: server.id, requestId, adminPassword: server.adminPass },
    },
  ])
})

test('several servers of one request share a reservation and are numbered', async () => {
  const answer = await post({ name: 'many', min_count: 1, max_count: '3', return_reservation_id: true })
  const { reservation_id: reservationId } = z.strictObject({ reservation_id: z.string() }).parse(answer.body)
  const rows = await api.db('servers').where({ reservationId }).orderBy('name')
  expect(rows.map(({ name }) => name)).toEqual(['many-1', 'many-2', 'many-3'])
  const { body } = await api.member(`GET /compute/v2.1/servers?sort_key=display_name&reservation_id=${reservationId}`)
  const { servers } = z.object({ servers: z.array(z.object({ name: z.string() })) }).parse(body)
  expect(servers.map(({ name }) => name).toSorted()).toEqual(['many-1', 'many-2', 'many-3'])
})

test('a hundred servers of one request have a port, an address, an action and a job each; a full subnet leaves its place to the next', async () => {
  const own = { name: 'of two subnets', project_id: api.projectId }
  const { network } = z
    .object({ network: z.object({ id: z.uuid() }) })
    .parse((await api.admin('POST /networking/v2.0/networks', { body: { network: own } })).body)
  for (const cidr of ['10.88.0.0/29', '10.88.4.0/24', 'fd88::/64'])
    await api.admin('POST /networking/v2.0/subnets', {
      body: { subnet: { network_id: network.id, cidr, ip_version: cidr.includes('::') ? 6 : 4 } },
    })
  const answer = await post({ max_count: 100, min_count: 100, networks: [{ uuid: network.id }] })
  expect(answer.status).toBe(202)
  const ports = await api.db('ports').where({ networkId: network.id }).whereNotNull('serverId').select('id', 'serverId')
  expect(new Set(ports.map(({ serverId }) => serverId)).size).toBe(100)
  const addresses = await api.db('addresses').whereIn(
    'portId',
    ports.map(({ id }) => id),
  )
  const of = (start: string): number => addresses.filter(({ address }) => address.startsWith(start)).length
  expect([of('10.88.0.'), of('10.88.4.'), of('fd88:')]).toEqual([5, 95, 100])
  const ids = ports.flatMap(({ serverId }) => serverId ?? [])
  expect(await api.db('server_actions').whereIn('serverId', ids).where({ action: 'create' })).toHaveLength(100)
  for (const id of ids.slice(0, 2)) expect(await jobsOf(api.db, id)).toHaveLength(1)
})

test('a wished address is given, and refused to a second server with the name of the first', async () => {
  const networks = [{ uuid: api.networkId, fixed_ip: '10.77.0.77' }]
  const first = await boot(api, { networks })
  expect(await addressesOf(first)).toEqual(['10.77.0.77'])
  const second = await post({ networks })
  expect(second.status).toBe(400)
  expect(faultIn(second)).toEqual(['badRequest', `Fixed IP address 10.77.0.77 is already in use on instance ${first}.`])
  const outside = await post({ networks: [{ uuid: api.networkId, fixed_ip: '192.0.2.1' }] })
  expect(outside.status).toBe(400)
})

test('a refused server leaves nothing behind', async () => {
  const count = async (): Promise<unknown> => ({
    servers: await api.db('servers').count(),
    ports: await api.db('ports').count(),
    actions: await api.db('server_actions').count(),
    used: await api.db('addresses').where({ state: 'used' }).count(),
  })
  const before = await count()
  const networks = [{ uuid: api.networkId }, { uuid: api.networkId, fixed_ip: '10.77.0.1' }]
  expect((await post({ networks })).status).toBe(400)
  expect(await count()).toEqual(before)
})

test('a full network is said to be full, with the figures', async () => {
  const network = await api.admin('POST /networking/v2.0/networks', {
    body: { network: { name: 'tiny', shared: true } },
  })
  const { id } = z.object({ network: z.object({ id: z.uuid() }) }).parse(network.body).network
  const subnet = { network_id: id, ip_version: 4, cidr: '10.5.0.0/30', gateway_ip: '10.5.0.1' }
  expect((await api.admin('POST /networking/v2.0/subnets', { body: { subnet } })).status).toBe(201)
  await boot(api, { networks: [{ uuid: id }] })
  const full = await post({ networks: [{ uuid: id }] })
  expect(full.status).toBe(409)
  expect(faultIn(full)[1]).toMatch(
    /^No more IP addresses available on subnet .* \(1 used, 0 reserved, 0 in quarantine\)$/,
  )

  const ambiguous = await post({ networks: undefined })
  expect(ambiguous.status).toBe(409)
  expect(faultIn(ambiguous)[1]).toBe('Multiple possible networks found, use a Network ID to be more specific.')
})

test.each([
  ['an unknown image', { imageRef: '00000000-0000-4000-8000-000000000000' }, 'Can not find requested image'],
  ['an image that is no id', { imageRef: 'debian' }, 'Can not find requested image'],
  ['an unknown flavor', { flavorRef: 'huge' }, 'Flavor huge could not be found.'],
  ['an unknown key', { key_name: 'lost' }, 'Invalid key_name provided.'],
  ['an unknown group', { security_groups: [{ name: 'x' }] }, 'Security group x not found for project project-shop.'],
  [
    'an unknown network',
    { networks: [{ uuid: '00000000-0000-4000-8000-000000000000' }] },
    'Network 00000000-0000-4000-8000-000000000000 could not be found.',
  ],
  [
    'an unknown port',
    { networks: [{ port: '00000000-0000-4000-8000-000000000000' }] },
    'Port id 00000000-0000-4000-8000-000000000000 could not be found.',
  ],
  ['more at least than at most', { min_count: 3, max_count: 2 }, 'min_count must be <= max_count'],
  ['more than one request makes', { max_count: 1_000_000_000 }, 'max_count: one request makes 1000 servers at most'],
  ['a number of many digits', { min_count: '9'.repeat(400) }, 'max_count: one request makes 1000 servers at most'],
  ['a name of two lines', { name: 'a\nb' }, /^Invalid input for field\/attribute name\./],
  ['a password of two lines', { adminPass: 'a\nroot:b' }, /^Invalid input for field\/attribute adminPass\./],
  ['text with a NUL', { key_name: 'a\0b' }, 'Malformed request body'],
  ['an address of one wire', { accessIPv6: 'fe80::1%eth0' }, /is not a 'ipv6'$/],
  ['an empty name', { name: '' }, "Invalid input for field/attribute name. Value: . '' is too short"],
  ['an unknown zone', { availability_zone: 'moon' }, 'The requested availability zone is not available'],
  ['no count', { min_count: 'x' }, /^Invalid input for field\/attribute min_count\. Value: x\./],
  ['unreadable user data', { user_data: '***' }, /'\*\*\*' is not a 'base64'$/],
  ['an unknown field', { colour: 'red' }, /Additional properties are not allowed \('colour' was unexpected\)$/],
  [
    'a field of a later microversion',
    { description: 'd' },
    /Additional properties are not allowed \('description' was unexpected\)$/,
  ],
])('%s is bad input', async (_what, more, text) => {
  const answer = await post(more)
  expect(answer.status).toBe(400)
  const [name, message] = faultIn(answer)
  expect(name).toBe('badRequest')
  if (typeof text === 'string') expect(message).toBe(text)
  else expect(message).toMatch(text)
})

test('fields of later microversions are taken from then on', async () => {
  const answer = await post({ description: 'd', tags: ['a', 'b'], hostname: 'other' }, '2.90')
  const { id } = reply.parse(answer.body).server
  expect(await api.db('servers').where({ id }).first()).toMatchObject({
    description: 'd',
    tags: ['a', 'b'],
    hostname: 'other',
  })
  expect((await post({ networks: undefined }, '2.37')).status).toBe(400)
  const without = await post({ networks: 'none' }, '2.37')
  expect(await addressesOf(reply.parse(without.body).server.id)).toEqual([])
})

test('a port that the user made is used with its address, once', async () => {
  const made = await api.member('POST /networking/v2.0/ports', { body: { port: { network_id: api.networkId } } })
  const { port } = z
    .object({ port: z.object({ id: z.uuid(), fixed_ips: z.array(z.object({ ip_address: z.string() })) }) })
    .parse(made.body)
  const id = await boot(api, { networks: [{ port: port.id }] })
  expect(await addressesOf(id)).toEqual([port.fixed_ips[0]?.ip_address])
  const again = await post({ networks: [{ port: port.id }] })
  expect([again.status, ...faultIn(again)]).toEqual([409, 'conflictingRequest', `Port ${port.id} is still in use.`])
})

test('the quota holds also for requests at the same time, and what is gone makes room', async () => {
  const { instances } = await useOf(api.db, api.projectId)
  await setQuota(api.db, api.projectId, 'instances', instances + 2)
  const answers = await Promise.all(Array.from({ length: 6 }, () => post({})))
  expect(answers.map(({ status }) => status).toSorted()).toEqual([202, 202, 403, 403, 403, 403])
  const refused = await post({})
  expect(faultIn(refused)).toEqual([
    'forbidden',
    `Quota exceeded for instances: Requested 1, but already used ${instances + 2} of ${instances + 2} instances`,
  ])
  const [gone] = await api.db('servers').where({ projectId: api.projectId, deletedAt: null }).limit(1)
  await api
    .db('servers')
    .where({ id: gone?.id ?? '' })
    .update({ deletedAt: new Date() })
  expect([(await post({})).status, (await post({})).status]).toEqual([202, 403])
  await setQuota(api.db, api.projectId, 'instances', -1)
})

test('where the quota has no room for the most, as many are made as it has, but no fewer than the least', async () => {
  const { instances } = await useOf(api.db, api.projectId)
  await setQuota(api.db, api.projectId, 'instances', instances + 2)
  expect((await post({ min_count: 3, max_count: 5 })).status).toBe(403)
  expect((await post({ min_count: 1, max_count: 5 })).status).toBe(202)
  expect((await useOf(api.db, api.projectId)).instances).toBe(instances + 2)
  expect((await post({ min_count: 1, max_count: 5 })).status).toBe(403)
  await setQuota(api.db, api.projectId, 'instances', -1)
})

test('a hostname may have its domain from 2.94 on', async () => {
  const { id } = reply.parse((await post({ hostname: 'till-7.shop.example' }, '2.94')).body).server
  expect(await api.db('servers').where({ id }).first()).toMatchObject({ hostname: 'till-7.shop.example' })
  for (const [hostname, version] of [
    ['till-7.shop.example', '2.93'],
    [`${'x'.repeat(64)}.example`, '2.94'],
    ['-till', '2.94'],
  ] as const)
    expect((await post({ hostname }, version)).status).toBe(400)
})

test('a body that is no JSON is of an unsupported type', async () => {
  const asked = { body: 'name=web', headers: { 'Content-Type': 'application/x-www-form-urlencoded' } }
  const answer = await api.member('POST /compute/v2.1/servers', asked)
  expect([answer.status, faultIn(answer)[0]]).toEqual([415, 'badMediaType'])
})

test('a reader makes no servers, and nobody does without a token', async () => {
  const body = bootBody(api)
  expect((await api.reader('POST /compute/v2.1/servers', { body })).status).toBe(403)
  expect((await api.nobody('POST /compute/v2.1/servers', { body })).status).toBe(401)
})

test('an unreadable body is bad input, and an oversized one is refused', async () => {
  const malformed = await api.member('POST /compute/v2.1/servers', { body: '{"server":' })
  expect([malformed.status, ...faultIn(malformed)]).toEqual([400, 'badRequest', 'Malformed request body'])
  const big = await api.member('POST /compute/v2.1/servers', { body: { server: { name: 'x'.repeat(300_000) } } })
  expect([big.status, faultIn(big)[0]]).toEqual([413, 'overLimit'])
})

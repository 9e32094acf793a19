import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { z } from 'zod'
import { operations } from '../../../api/ipam/operations.ts'
import { startApi, type TestApi } from '../fixture.ts'

let api: TestApi
beforeAll(async () => {
  api = await startApi()
})
afterAll(async () => {
  await api.stop()
})

/** Asks as the administrator; what comes back fits the shape that the document promises. */
async function ask(method: (typeof operations)[number]['method'], path: string, body?: unknown): Promise<unknown> {
  const [plain = ''] = path.split('?')
  const operation = operations.find(
    (one) => one.method === method && new RegExp(`^${one.path.replaceAll(/:\w+/g, '[^/]+')}$`).test(plain),
  )
  const answer = await api.admin(`${method.toUpperCase()} /ipam${path}`, body === undefined ? {} : { body })
  expect({ path, status: answer.status, body: answer.status === operation?.status ? '' : answer.body }).toEqual({
    path,
    status: operation?.status,
    body: '',
  })
  return operation?.reply ? operation.reply.parse(answer.body) : undefined
}

async function refused(request: string, body?: unknown): Promise<string> {
  const answer = await api.admin(request, body === undefined ? {} : { body })
  const { error } = z.object({ error: z.object({ code: z.number(), message: z.string() }) }).parse(answer.body)
  expect(error.code).toBe(answer.status)
  return `${error.code} ${error.message}`
}

test('a pool is made, changed, shown and deleted', async () => {
  const made = await ask('post', '/v1/pools', { name: 'dock', cidr: '10.40.0.0/28', vlan: 77, quarantine_seconds: 60 })
  expect(made).toMatchObject({
    pool: { name: 'dock', vlan: 77, subnets: [{ gateway: '10.40.0.1', size: 13, free: 13, level: 'ok' }] },
  })
  expect(await ask('patch', '/v1/pools/dock', { warn_percent: 50 })).toMatchObject({
    pool: { subnets: [{ warn_percent: 50, quarantine_seconds: 60 }] },
  })
  await ask('post', '/v1/pools/dock/exclude', { first: '10.40.0.8', last: '10.40.0.11' })
  expect(await ask('get', '/v1/pools/dock')).toMatchObject({
    pool: { subnets: [{ size: 9, ranges: [{ first: '10.40.0.2', last: '10.40.0.7' }, { first: '10.40.0.12' }] }] },
  })
  await ask('post', '/v1/pools/dock/grow', { first: '10.40.0.8', last: '10.40.0.9' })
  expect(await ask('get', '/v1/pools')).toMatchObject({
    pools: expect.arrayContaining([expect.objectContaining({ name: 'dock' })]),
  })
  await ask('delete', '/v1/pools/dock')
  expect(await refused('GET /ipam/v1/pools/dock')).toBe('404 Pool dock could not be found.')
})

test('what is wrong with a new pool is named, and nothing is made', async () => {
  const bad = async (wanted: Readonly<Record<string, unknown>>): Promise<string> =>
    await refused('POST /ipam/v1/pools', { name: 'reef', cidr: '10.46.0.0/24', ...wanted })
  expect(await bad({ cidr: '10.46.0.0/33' })).toMatch(/^400 .*10\.46\.0\.0\/33/)
  expect(await bad({ gateway: '10.99.0.1' })).toMatch(/^400 .*10\.99\.0\.1/)
  expect(await bad({ dns: ['here'] })).toMatch(/^400 .*here/)
  expect(await refused('GET /ipam/v1/pools/reef')).toMatch(/^404/)
  const made = await ask('post', '/v1/pools', { name: 'reef', cidr: '10.46.0.77/24', arp_probe: true })
  expect(made).toMatchObject({ pool: { subnets: [{ cidr: '10.46.0.0/24', gateway: '10.46.0.1', arp_probe: true }] } })
})

test('usage counts what was handed out and came back, and what is reserved outside of the ranges leaves none fewer', async () => {
  const ranges = [{ first: '10.47.0.2', last: '10.47.0.11' }]
  await ask('post', '/v1/pools', { name: 'spit', cidr: '10.47.0.0/24', ranges })
  await ask('post', '/v1/pools/spit/reservations', { address: '10.47.0.200' })
  await ask('post', '/v1/pools/spit/reservations', { address: '10.47.0.3' })
  expect(await ask('get', '/v1/pools/spit/usage')).toEqual({
    usage: [
      expect.objectContaining({ size: 10, reserved: 2, free: 9, handed_out: 0, given_back: 0, full_in_days: null }),
    ],
  })
  expect(await ask('get', '/v1/usage')).toMatchObject({
    usage: expect.arrayContaining([expect.objectContaining({ pool: 'spit' })]),
  })
  expect(await refused('GET /ipam/v1/pools/spit/usage?days=none')).toMatch(/^400 days/)
})

test('a reservation is made, found, moved, and freed', async () => {
  await ask('post', '/v1/pools', { name: 'pier', cidr: '10.41.0.0/28' })
  expect(
    await ask('post', '/v1/pools/pier/reservations', { address: '10.41.0.9', name: 'web-1', note: 'rack 7' }),
  ).toMatchObject({
    address: { address: '10.41.0.9', state: 'reserved', reserved_for: 'web-1', note: 'rack 7' },
  })
  expect(await ask('post', '/v1/pools/pier/reservations', { name: 'web-2' })).toMatchObject({
    address: { address: '10.41.0.2' },
  })
  expect(await ask('get', '/v1/addresses?name=web-1')).toMatchObject({
    addresses: [{ address: '10.41.0.9', pool: 'pier' }],
  })
  await ask('patch', '/v1/pools/pier/reservations/10.41.0.9', { name: 'web-3' })
  expect(await refused('POST /ipam/v1/pools/pier/reservations', { name: 'web-3' })).toMatch(
    /^409 10\.41\.0\.9 is reserved/,
  )
  await ask('delete', '/v1/pools/pier/addresses/10.41.0.9')
  expect(await ask('get', '/v1/pools/pier/addresses')).toMatchObject({ addresses: [{ address: '10.41.0.2' }] })
})

test('a server of a reserved name gets its address, and its past is known after it is gone', async () => {
  const { pool } = z
    .object({ pool: z.object({ id: z.string() }) })
    .parse(await ask('post', '/v1/pools', { name: 'mole', cidr: '10.42.0.0/28' }))
  await ask('post', '/v1/pools/mole/reservations', { address: '10.42.0.7', name: 'buoy' })
  const { body } = await api.member('POST /compute/v2.1/servers', {
    body: { server: { name: 'buoy', imageRef: api.imageId, flavorRef: '1', networks: [{ uuid: pool.id }] } },
  })
  const { server } = z.object({ server: z.object({ id: z.string() }) }).parse(body)
  expect(await ask('get', '/v1/addresses?address=10.42.0.7')).toMatchObject({
    addresses: [{ state: 'used', server_id: server.id, name: 'buoy', reserved_for: 'buoy' }],
  })
  expect(await refused('DELETE /ipam/v1/pools/mole/addresses/10.42.0.7')).toMatch(new RegExp(`^409 .*${server.id}`))
})

test('a group gives an address of the first pool that has one', async () => {
  await ask('post', '/v1/pools', { name: 'small', cidr: '10.43.0.0/30' })
  await ask('post', '/v1/pools', { name: 'large', cidr: '10.44.0.0/24' })
  const { group } = z
    .object({ group: z.object({ id: z.string() }) })
    .parse(await ask('post', '/v1/groups', { name: 'both', pools: ['small', 'large'] }))
  // A client looks for it by name or id before it asks for a server.
  const shape = z.object({ networks: z.array(z.object({ id: z.string() })) })
  const networks = async (query: string): Promise<readonly string[]> =>
    shape.parse((await api.member(`GET /networking/v2.0/networks${query}`)).body).networks.map(({ id }) => id)
  expect(await networks('?name=both')).toEqual([group.id])
  expect(await networks('')).not.toContain(group.id)
  const seen = await api.member(`GET /networking/v2.0/networks/${group.id}`)
  expect(seen.body).toMatchObject({ network: { id: group.id, name: 'both', status: 'ACTIVE' } })
  expect((await api.admin(`DELETE /networking/v2.0/networks/${group.id}`)).status).toBe(404)
  for (const name of ['one', 'two'])
    expect(
      await api.member('POST /compute/v2.1/servers', {
        body: { server: { name, imageRef: api.imageId, flavorRef: '1', networks: [{ uuid: group.id }] } },
      }),
    ).toMatchObject({ status: 202 })
  expect(await ask('get', '/v1/pools/small/addresses')).toMatchObject({
    addresses: [{ name: 'one', address: '10.43.0.2' }],
  })
  expect(await ask('get', '/v1/pools/large/addresses')).toMatchObject({
    addresses: [{ name: 'two', address: '10.44.0.2' }],
  })
  await ask('delete', '/v1/groups/both')
  expect(await ask('get', '/v1/groups')).toEqual({ groups: [] })
})

test('a CSV is carried in as a whole or not at all, and each bad line is named', async () => {
  await ask('post', '/v1/pools', { name: 'wharf', cidr: '10.45.0.0/28' })
  const bad = 'address,name,note\n10.45.0.4,web-1,"old, and good"\n10.46.0.4,web-2,\nnowhere,,\n10.45.0.4,web-3,\n'
  const answer = await api.admin('POST /ipam/v1/pools/wharf/import?dry_run=true', { body: { csv: bad } })
  expect(answer).toMatchObject({ status: 400, body: { imported: 1, dry_run: true } })
  const { bad: lines } = z
    .object({ bad: z.array(z.object({ line: z.number(), reason: z.string() })) })
    .parse(answer.body)
  expect(lines.map(({ line, reason }) => `${line} ${reason}`)).toEqual([
    "3 '10.46.0.4' is in no subnet of this pool",
    "4 'nowhere' is not an IP address",
    expect.stringMatching(/^5 .*10\.45\.0\.4/),
  ])
  expect(await ask('get', '/v1/pools/wharf/addresses')).toEqual({ addresses: [] })
  const good = bad.split('\n').slice(0, 2).join('\n')
  expect(await ask('post', '/v1/pools/wharf/import?dry_run=true', { csv: good })).toMatchObject({
    imported: 1,
    dry_run: true,
  })
  expect(await ask('get', '/v1/pools/wharf/addresses')).toEqual({ addresses: [] })
  await ask('post', '/v1/pools/wharf/import', { csv: good })
  expect(await ask('get', '/v1/pools/wharf/export')).toEqual({
    csv: 'address,name,note,state,mac\n10.45.0.4,web-1,"old, and good",reserved,\n',
  })
  expect(await refused('POST /ipam/v1/pools/wharf/import', { csv: 'name\nweb-1\n' })).toMatch(/^400 .*'address'/)
})

test('the map has every address of a small pool, and blocks of a large one', async () => {
  await ask('post', '/v1/pools', { name: 'slip', cidr: '10.47.0.0/28' })
  await ask('post', '/v1/pools/slip/reservations', { address: '10.47.0.5' })
  const blocks = z.object({ blocks: z.array(z.object({ first: z.string(), reserved: z.number() })) })
  const small = blocks.parse(await ask('get', '/v1/pools/slip/map')).blocks
  expect(small.length).toBe(16)
  expect(small.filter(({ reserved }) => reserved > 0)).toMatchObject([{ first: '10.47.0.5' }])
  await ask('post', '/v1/pools', { name: 'sea', cidr: '11.0.0.0/8' })
  expect(blocks.parse(await ask('get', '/v1/pools/sea/map')).blocks.length).toBe(1024)
})

test('bad input names the field and changes nothing', async () => {
  expect(await refused('POST /ipam/v1/pools', { name: 'x', cidr: 'nonsense' })).toMatch(/^400 nonsense is not a subnet/)
  expect(await refused('POST /ipam/v1/pools', { name: 'x' })).toMatch(/^400 .*cidr/)
  expect(await refused('GET /ipam/v1/addresses')).toMatch(/^400 One of address/)
  expect(await refused('GET /ipam/v1/addresses?mac=zz')).toMatch(/^400 mac/)
  expect(await refused('POST /ipam/v1/groups', { name: 'g', pools: ['nowhere'] })).toMatch(/^404 Pool nowhere/)
  expect(await refused('GET /ipam/v1/pools/x')).toMatch(/^404/)
})

test('only administrators see pools', async () => {
  expect((await api.member('GET /ipam/v1/pools')).status).toBe(403)
  expect((await api.nobody('GET /ipam/v1/pools')).status).toBe(401)
})

test('the document and its page name every operation', async () => {
  const { body } = await api.nobody('GET /ipam/v1/openapi.json')
  const { openapi, paths } = z
    .object({ openapi: z.string(), paths: z.record(z.string(), z.record(z.string(), z.unknown())) })
    .parse(body)
  expect(openapi).toBe('3.1.0')
  expect(Object.values(paths).flatMap((methods) => Object.keys(methods)).length).toBe(operations.length)
  const page = await fetch(`${api.url}/ipam/v1`)
  expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8')
  const html = await page.text()
  for (const { summary } of operations) expect(html).toContain(summary.replaceAll("'", '&#39;'))
})

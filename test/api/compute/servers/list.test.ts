import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { z } from 'zod'
import { boot, place, startApi, type Client, type TestApi } from '../../fixture.ts'

let api: TestApi
const names = ['one', 'two', 'three', 'four', 'five']
const ids: Record<string, string> = {}
beforeAll(async () => {
  api = await startApi()
  for (const name of names) ids[name] = await boot(api, { name })
  await place(api.db, ids.one ?? '')
  await place(api.db, ids.two ?? '', 'stopped')
  const of = (name: string) => api.db('servers').where({ id: ids[name] ?? '' })
  await of('one').update({ tags: ['red', 'big'], configDrive: true, keyName: 'mine' })
  await of('two').update({ tags: ['red'], description: 'of the shop', hostname: 'till-7', lockedBy: 'owner' })
  await of('three').update({ launchIndex: 2, diskConfig: 'AUTO', accessIpv4: '192.0.2.7' })
  await of('four').update({ launchedAt: new Date('2026-01-02T03:04:05.678Z') })
})
afterAll(async () => {
  await api.stop()
})

const page = z.object({
  servers: z.array(z.object({ id: z.uuid(), name: z.string() })),
  servers_links: z.array(z.strictObject({ rel: z.literal('next'), href: z.url() })).optional(),
})

async function list(query: string, client: Client = api.member, version = '2.1'): Promise<readonly string[]> {
  const { status, body } = await client(`GET /compute/v2.1/servers/detail?${query}`, { version })
  expect(status).toBe(200)
  return page.parse(body).servers.map(({ name }) => name)
}

test('servers are listed newest first, and only those of the project', async () => {
  expect(await list('')).toEqual(names.toReversed())
  expect(await list('', api.stranger)).toEqual([])
  expect(await list('', api.admin)).toEqual([])
  expect(await list('all_tenants=True', api.admin)).toEqual(names.toReversed())
  expect((await api.member('GET /compute/v2.1/servers?all_tenants=1')).status).toBe(403)
})

test('pages follow each other by their links until the last', async () => {
  const seen: string[] = []
  let path: string | undefined = '/compute/v2.1/servers?limit=2&sort_key=display_name&sort_dir=asc'
  while (path !== undefined) {
    const { servers, servers_links: links } = page.parse((await api.member(`GET ${path}`)).body)
    seen.push(...servers.map(({ name }) => name))
    path = links?.[0]?.href.replace(api.url, '')
  }
  expect(seen).toEqual(names.toSorted())
})

test.each([
  ['name=t', ['three', 'two']],
  ['name=^t.o$', ['two']],
  ['status=ACTIVE', ['one']],
  ['status=ACTIVE&status=SHUTOFF', ['two', 'one']],
  ['status=bogus', []],
  ['flavor=1&limit=1', ['five']],
  ['flavor=2', []],
  ['ip=10.77.0.2$', ['one']],
  ['limit=0', []],
  ['changes-since=2000-01-01T00:00:00Z&name=one', ['one']],
  ['changes-since=2999-01-01T00:00:00Z', []],
  ['vm_state=active', names.toReversed()],
  ['unknown=filter&name=five', ['five']],
  ['config_drive=True', ['one']],
  ['key_name=mi', ['one']],
  ['description=shop', ['two']],
  ['hostname=^till-', ['two']],
  ['locked_by=owner', ['two']],
  ['launch_index=2', ['three']],
  ['launch_index=two', []],
  ['auto_disk_config=True', ['three']],
  ['access_ip_v4=^192', ['three']],
  ['launched_at=2026-01-02T03:04:05Z', ['four']],
  ['name=(&sort_key=memory_mb', []],
  ['limit=99999999999999999999&name=five', ['five']],
])('?%s', async (query, expected) => {
  expect(await list(query)).toEqual(expected)
})

test.each([
  ['tags=red', ['two', 'one']],
  ['tags=red,big', ['one']],
  ['tags-any=big,blue', ['one']],
  ['not-tags=red,big', ['five', 'four', 'three', 'two']],
  ['not-tags-any=red,big', ['five', 'four', 'three']],
  ['tags=red&not-tags-any=big', ['two']],
])('?%s, by tags since 2.26', async (query, expected) => {
  expect(await list(query, api.member, '2.26')).toEqual(expected)
  expect(await list(query)).toEqual(names.toReversed())
})

test('what tells of the inside of the cloud is looked for by others than administrators since 2.83', async () => {
  expect(await list('vm_state=stopped')).toEqual(names.toReversed())
  expect(await list('vm_state=stopped', api.member, '2.83')).toEqual(['two'])
  expect(await list('user_id=nobody', api.member, '2.83')).toEqual([])
  expect(await list('host=elsewhere', api.member, '2.83')).toEqual(names.toReversed())
})

test('servers are sorted by what may be missing, page by page', async () => {
  for (const key of ['launched_at', 'host', 'key_name', 'access_ip_v4', 'instance_type_id', 'progress', 'locked']) {
    const all = await list(`sort_key=${key}&sort_dir=asc`, api.member, '2.73')
    expect(all.toSorted()).toEqual(names.toSorted())
    const seen: string[] = []
    for (let page = 0; page < 3; page++) {
      const marker = page === 0 ? '' : `&marker=${ids[seen.at(-1) ?? ''] ?? ''}`
      seen.push(...(await list(`sort_key=${key}&sort_dir=asc&limit=2${marker}`, api.member, '2.73')))
    }
    expect([key, ...seen]).toEqual([key, ...all])
  }
})

test('who asks what changed is told of deleted servers', async () => {
  const id = await boot(api, { name: 'gone' })
  await api.db('servers').where({ id }).update({ vmState: 'deleted', taskState: null, deletedAt: api.db.fn.now() })
  expect(await list('name=gone')).toEqual([])
  expect(await list('name=gone&changes-since=2000-01-01')).toEqual(['gone'])
  expect(await list('name=gone&changes-before=2999-01-01', api.member, '2.66')).toEqual(['gone'])
  expect(await list('name=gone&changes-before=2999-01-01')).toEqual([])
  expect(await list('all_tenants=1&deleted=true', api.admin)).toEqual(['gone'])
  expect((await api.member('GET /compute/v2.1/servers?status=DELETED')).status).toBe(403)
})

test.each([
  ['limit=-1', '2.1'],
  ['limit=x', '2.1'],
  ['marker=00000000-0000-4000-8000-000000000000', '2.1'],
  ['marker=x', '2.1'],
  ['sort_key=secret', '2.1'],
  ['changes-since=yesterday', '2.1'],
  ['changes-since=2011/01/01', '2.1'],
  ['status=bogus', '2.38'],
  ['unknown=filter', '2.75'],
  ['sort_key=memory_mb', '2.75'],
  ['name=(?<a>x)', '2.1'],
  ['name=%00', '2.1'],
  ['changes-since=2026-02-01&changes-before=2026-01-01', '2.66'],
])('?%s at %s is bad input', async (query, version) => {
  expect((await api.member(`GET /compute/v2.1/servers?${query}`, { version })).status).toBe(400)
})

test('a marker of another project is unknown', async () => {
  expect((await api.stranger(`GET /compute/v2.1/servers?marker=${ids.one ?? ''}`)).status).toBe(400)
})

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
})
afterAll(async () => {
  await api.stop()
})

const page = z.object({
  servers: z.array(z.object({ id: z.uuid(), name: z.string() })),
  servers_links: z.array(z.strictObject({ rel: z.literal('next'), href: z.url() })).optional(),
})

async function list(query: string, client: Client = api.member): Promise<readonly string[]> {
  const { status, body } = await client(`GET /compute/v2.1/servers/detail?${query}`)
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
])('?%s', async (query, expected) => {
  expect(await list(query)).toEqual(expected)
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
])('?%s at %s is bad input', async (query, version) => {
  expect((await api.member(`GET /compute/v2.1/servers?${query}`, { version })).status).toBe(400)
})

test('a marker of another project is unknown', async () => {
  expect((await api.stranger(`GET /compute/v2.1/servers?marker=${ids.one ?? ''}`)).status).toBe(400)
})

import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { z } from 'zod'
import { boot, bootBody, faultIn, startApi, type Answer, type TestApi } from '../fixture.ts'

let api: TestApi
beforeAll(async () => {
  api = await startApi()
})
afterAll(async () => {
  await api.stop()
})

const flavors = '/compute/v2.1/flavors'
const link = z.strictObject({ rel: z.enum(['self', 'bookmark']), href: z.url() })
const first = z.strictObject({
  id: z.string(),
  name: z.string(),
  ram: z.int(),
  disk: z.int(),
  vcpus: z.int(),
  swap: z.union([z.int().min(1), z.literal('')]),
  'OS-FLV-EXT-DATA:ephemeral': z.int(),
  'OS-FLV-DISABLED:disabled': z.literal(false),
  'os-flavor-access:is_public': z.boolean(),
  rxtx_factor: z.number(),
  links: z.array(link).length(2),
})
const described = first.extend({ description: z.string().nullable() })
const specified = described.extend({ extra_specs: z.record(z.string(), z.string()) })
const reference = z.strictObject({ id: z.string(), name: z.string(), links: z.array(link) })
const shapes = [
  ['2.1', first, reference],
  ['2.55', described, reference.extend({ description: z.string().nullable() })],
  ['2.61', specified, reference.extend({ description: z.string().nullable() })],
  ['2.75', specified.extend({ swap: z.int() }), reference.extend({ description: z.string().nullable() })],
] as const

const small = { name: 'small', ram: 64, vcpus: 1, disk: 1 }
let made = 0
async function make(more: Readonly<Record<string, unknown>> = {}): Promise<string> {
  made += 1
  const answer = await api.admin(`POST ${flavors}`, { body: { flavor: { ...small, name: `made-${made}`, ...more } } })
  expect(answer.status).toBe(200)
  return z.object({ flavor: z.object({ id: z.string() }) }).parse(answer.body).flavor.id
}

test.each(shapes)('flavors at %s', async (version, full, brief) => {
  const created = await api.admin(`POST ${flavors}`, {
    version,
    body: {
      flavor: { ...small, name: `at ${version}`, id: `at-${version}`, swap: 32, 'OS-FLV-EXT-DATA:ephemeral': '2' },
    },
  })
  const expected = { name: `at ${version}`, ram: 64, swap: 32, 'OS-FLV-EXT-DATA:ephemeral': 2 }
  expect(z.strictObject({ flavor: full }).parse(created.body).flavor).toMatchObject(expected)
  const shown = await api.member(`GET ${flavors}/at-${version}`, { version })
  expect(z.strictObject({ flavor: full }).parse(shown.body).flavor).toMatchObject(expected)
  z.strictObject({ flavors: z.array(full) }).parse((await api.member(`GET ${flavors}/detail`, { version })).body)
  z.strictObject({ flavors: z.array(brief) }).parse((await api.member(`GET ${flavors}`, { version })).body)
  expect((await api.admin(`DELETE ${flavors}/at-${version}`)).status).toBe(202)
  expect((await api.admin(`GET ${flavors}/at-${version}`)).status).toBe(404)
})

test('a description is kept and changed from 2.55 on', async () => {
  const path = `PUT ${flavors}/${await make()}`
  const body = { flavor: { description: 'for tests' } }
  expect((await api.admin(path, { body, version: '2.54' })).status).toBe(405)
  const { status, body: shown } = await api.admin(path, { body, version: '2.55' })
  expect([status, z.strictObject({ flavor: described }).parse(shown).flavor.description]).toEqual([200, 'for tests'])
  const flavor = { ...small, name: 'early', description: 'x' }
  expect((await api.admin(`POST ${flavors}`, { body: { flavor } })).status).toBe(400)
})

test.each([
  { name: '' },
  { name: ' led by a space' },
  { name: 'x'.repeat(256) },
  { ram: 0 },
  { vcpus: 'x' },
  { disk: -1 },
  { swap: -1 },
  { id: ' 7' },
  { id: 'a/b' },
  { rxtx_factor: 0 },
  { 'os-flavor-access:is_public': 'perhaps' },
  { unknown: 1 },
])('a flavor with %j is bad input', async (wrong) => {
  const body = { flavor: { ...small, ...wrong } }
  expect((await api.admin(`POST ${flavors}`, { body })).status).toBe(400)
})

test('ids and names of flavors are taken once; only administrators change them', async () => {
  const id = await make({ name: 'taken' })
  const add = (flavor: unknown): Promise<Answer> => api.admin(`POST ${flavors}`, { body: { flavor } })
  expect(faultIn(await add({ ...small, name: 'taken' }))).toEqual([
    'conflictingRequest',
    'Flavor with name taken already exists.',
  ])
  expect((await add({ ...small, id })).status).toBe(409)
  expect((await api.member(`POST ${flavors}`, { body: { flavor: small } })).status).toBe(403)
  expect((await api.member(`DELETE ${flavors}/${id}`)).status).toBe(403)
  expect((await api.admin(`DELETE ${flavors}/none`)).status).toBe(404)
})

test('a private flavor is of the projects that were let in', async () => {
  const id = await make({ 'os-flavor-access:is_public': 'False' })
  const act = (name: string, tenant: string, version = '2.1') =>
    api.admin(`POST ${flavors}/${id}/action`, { body: { [name]: { tenant } }, version })
  const canUse = async () => [
    (await api.member(`GET ${flavors}/${id}`)).status,
    JSON.stringify((await api.member(`GET ${flavors}`)).body).includes(id),
    (await api.member('POST /compute/v2.1/servers', { body: bootBody(api, { flavorRef: id }) })).status,
  ]
  expect(await canUse()).toEqual([404, false, 400])
  const allowed = await act('addTenantAccess', 'project-shop')
  expect([allowed.status, allowed.body]).toEqual([
    200,
    { flavor_access: [{ flavor_id: id, tenant_id: 'project-shop' }] },
  ])
  expect(await canUse()).toEqual([200, true, 202])
  expect((await api.stranger(`GET ${flavors}/${id}`)).status).toBe(404)
  expect((await act('addTenantAccess', 'project-shop')).status).toBe(409)
  expect((await act('addTenantAccess', 'nowhere')).status).toBe(400)
  expect((await api.admin(`GET ${flavors}/${id}/os-flavor-access`)).body).toEqual(allowed.body)
  expect((await act('removeTenantAccess', 'project-shop')).body).toEqual({ flavor_access: [] })
  expect((await act('removeTenantAccess', 'project-shop')).status).toBe(404)
  expect(await canUse()).toEqual([404, false, 400])
  const listed = await api.admin(`GET ${flavors}?is_public=False`)
  expect(JSON.stringify(listed.body)).toContain(id)
})

test('a public flavor has no access list', async () => {
  const id = await make()
  expect((await api.admin(`GET ${flavors}/${id}/os-flavor-access`)).status).toBe(404)
  const body = { addTenantAccess: { tenant: 'project-shop' } }
  expect((await api.admin(`POST ${flavors}/${id}/action`, { body, version: '2.7' })).status).toBe(409)
  expect((await api.member(`POST ${flavors}/${id}/action`, { body })).status).toBe(403)
})

test('extra specs are set, read, changed and removed', async () => {
  const path = `${flavors}/${await make()}/os-extra_specs`
  const extra_specs = { 'hw:numa_nodes': '1', own: 'anything' }
  expect((await api.admin(`POST ${path}`, { body: { extra_specs } })).body).toEqual({ extra_specs })
  expect((await api.member(`GET ${path}`)).body).toEqual({ extra_specs })
  const one = `${path}/hw:numa_nodes`
  expect((await api.admin(`PUT ${one}`, { body: { 'hw:numa_nodes': '2' } })).body).toEqual({ 'hw:numa_nodes': '2' })
  expect((await api.member(`GET ${one}`)).body).toEqual({ 'hw:numa_nodes': '2' })
  expect((await api.admin(`PUT ${one}`, { body: { other: '2' } })).status).toBe(400)
  expect((await api.admin(`PUT ${one}`, { body: { 'hw:numa_nodes': '1', other: '2' } })).status).toBe(400)
  expect((await api.member(`DELETE ${one}`)).status).toBe(403)
  const removed = await api.admin(`DELETE ${one}`)
  expect([removed.status, removed.body]).toEqual([200, undefined])
  expect((await api.admin(`DELETE ${one}`)).status).toBe(404)
  expect((await api.member(`GET ${one}`)).status).toBe(404)
  expect((await api.member(`GET ${path}`)).body).toEqual({ extra_specs: { own: 'anything' } })
})

test.each([
  ['hw:cpu_policy', 'sometimes'],
  ['hw:unheard_of', '1'],
  ['hw:numa_nodes', '0'],
  ['hw:pmu', 'perhaps'],
  ['quota:disk_read_bytes_sec', 'fast'],
  ['quota:vif_inbound_average', '-1'],
  ['trait:CUSTOM_GOLD', 'wished'],
])('from 2.86 the extra spec %s=%s is refused', async (name, value) => {
  const path = `POST ${flavors}/${await make()}/os-extra_specs`
  const body = { extra_specs: { [name]: value } }
  expect((await api.admin(path, { body, version: '2.85' })).status).toBe(200)
  expect((await api.admin(path, { body, version: '2.86' })).status).toBe(400)
})

test('from 2.86 extra specs that are right, or the operator’s own, are taken', async () => {
  const extra_specs = {
    'hw:cpu_policy': 'dedicated',
    'quota:cpu_shares': '2048',
    'resources:CUSTOM_GOLD': '1',
    'trait2:HW_CPU_X86_AVX': 'required',
    'acme:anything': 'goes',
    plain: 'word',
  }
  const path = `POST ${flavors}/${await make()}/os-extra_specs`
  expect((await api.admin(path, { body: { extra_specs }, version: '2.86' })).status).toBe(200)
})

test('flavors are sorted as asked, page by page', async () => {
  const page = z.object({
    flavors: z.array(z.object({ ram: z.int(), id: z.string() })),
    flavors_links: z.array(z.object({ href: z.url() })).optional(),
  })
  const seen: number[] = []
  let path: string | undefined = `${flavors}/detail?sort_key=memory_mb&sort_dir=desc&limit=2`
  while (path !== undefined) {
    const { flavors: some, flavors_links: links } = page.parse((await api.member(`GET ${path}`)).body)
    seen.push(...some.map(({ ram }) => ram))
    path = links?.[0]?.href.replace(api.url, '')
  }
  expect(seen).toEqual(seen.toSorted((a, b) => b - a))
  expect(seen.length).toBeGreaterThan(4)
  expect((await api.member(`GET ${flavors}?sort_key=bogus`)).status).toBe(400)
  expect((await api.member(`GET ${flavors}?bogus=1`, { version: '2.74' })).status).toBe(200)
  expect((await api.member(`GET ${flavors}?bogus=1`, { version: '2.75' })).status).toBe(400)
})

test('a server keeps its flavor when the flavor goes', async () => {
  const id = await make({ ram: 77, swap: 5 })
  const server = await boot(api, { flavorRef: id })
  expect((await api.admin(`DELETE ${flavors}/${id}`)).status).toBe(202)
  const { body } = await api.member(`GET /compute/v2.1/servers/${server}`, { version: '2.47' })
  expect(body).toMatchObject({ server: { flavor: { ram: 77, swap: 5, ephemeral: 0, original_name: `made-${made}` } } })
})

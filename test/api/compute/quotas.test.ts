import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { z } from 'zod'
import { boot, bootBody, faultIn, startApi, type TestApi } from '../fixture.ts'

let api: TestApi
beforeAll(async () => {
  api = await startApi()
})
afterAll(async () => {
  await api.stop()
})

const shop = '/compute/v2.1/os-quota-sets/project-shop'
const always = ['instances', 'cores', 'ram', 'metadata_items', 'key_pairs', 'server_groups', 'server_group_members']
const files = ['injected_files', 'injected_file_content_bytes', 'injected_file_path_bytes']
const network = ['fixed_ips', 'floating_ips', 'security_groups', 'security_group_rules']

/** Exactly these limits. */
function limits(names: readonly string[], of: z.ZodType = z.int()) {
  return z.strictObject(Object.fromEntries(names.map((name) => [name, of])))
}

const use = z.strictObject({ limit: z.int(), in_use: z.int().min(0), reserved: z.literal(0) })

test.each([
  ['2.1', [...always, ...files, ...network]],
  ['2.36', [...always, ...files]],
  ['2.57', always],
  ['2.96', always],
])('a quota set at %s', async (version, names) => {
  const id = z.literal('project-shop')
  for (const path of [shop, `${shop}/defaults`]) {
    const { body } = await api.member(`GET ${path}`, { version })
    z.strictObject({ quota_set: limits(names).extend({ id }) }).parse(body)
  }
  const detail = await api.member(`GET ${shop}/detail`, { version })
  z.strictObject({ quota_set: limits(names, use).extend({ id }) }).parse(detail.body)
  const put = await api.admin(`PUT ${shop}`, { version, body: { quota_set: { cores: '77' } } })
  expect(put.status).toBe(200)
  expect(z.strictObject({ quota_set: limits(names) }).parse(put.body).quota_set.cores).toBe(77)
})

test.each([
  ['2.1', [...always.filter((name) => !name.startsWith('server_group')), ...files, ...network]],
  ['2.50', [...always, ...files]],
  ['2.57', always],
])('a quota class at %s', async (version, names) => {
  const path = '/compute/v2.1/os-quota-class-sets/default'
  const { body } = await api.admin(`GET ${path}`, { version })
  z.strictObject({ quota_class_set: limits(names).extend({ id: z.literal('default') }) }).parse(body)
  const put = await api.admin(`PUT ${path}`, { version, body: { quota_class_set: { ram: 51201 } } })
  expect(z.strictObject({ quota_class_set: limits(names) }).parse(put.body).quota_class_set.ram).toBe(51201)
})

test('the default class holds for projects that have no limit of their own, until they lose it again', async () => {
  const path = '/compute/v2.1/os-quota-sets/project-elsewhere'
  const show = async () => (await api.admin(`GET ${path}`)).body
  await api.admin('PUT /compute/v2.1/os-quota-class-sets/default', { body: { quota_class_set: { instances: 3 } } })
  expect(await show()).toMatchObject({ quota_set: { instances: 3 } })
  await api.admin(`PUT ${path}`, { body: { quota_set: { instances: 5 } } })
  expect(await show()).toMatchObject({ quota_set: { instances: 5 } })
  expect((await api.admin(`DELETE ${path}`)).status).toBe(202)
  expect(await show()).toMatchObject({ quota_set: { instances: 3 } })
})

test('limits of users stay below those of their project, and are held', async () => {
  const set = (body: unknown, query = '') => api.admin(`PUT ${shop}${query}`, { body: { quota_set: body } })
  await boot(api)
  expect((await set({ instances: 20 })).status).toBe(200)
  expect((await set({ instances: 30 }, '?user_id=user-mia')).status).toBe(400)
  expect((await set({ instances: 1 }, '?user_id=user-mia')).status).toBe(200)
  expect((await api.admin(`GET ${shop}?user_id=user-mia`)).body).toMatchObject({ quota_set: { instances: 1 } })
  const refused = await api.member('POST /compute/v2.1/servers', { body: bootBody(api) })
  expect([refused.status, ...faultIn(refused)]).toEqual([
    403,
    'forbidden',
    'Quota exceeded for instances: Requested 1, but already used 1 of 1 instances',
  ])
  expect((await api.admin(`DELETE ${shop}?user_id=user-mia`)).status).toBe(202)
  expect((await api.member('POST /compute/v2.1/servers', { body: bootBody(api) })).status).toBe(202)
})

test('a limit below what is taken needs force', async () => {
  await boot(api)
  const set = (body: unknown) => api.admin(`PUT ${shop}`, { body: { quota_set: body } })
  expect((await set({ instances: 0 })).status).toBe(400)
  expect((await set({ instances: 0, force: 'True' })).status).toBe(200)
  expect((await set({ instances: -1 })).status).toBe(200)
})

test.each([
  ['2.1', { cores: -2 }],
  ['2.1', { cores: 'many' }],
  ['2.1', { cores: 2_147_483_648 }],
  ['2.1', { bogus: 1 }],
  ['2.36', { floating_ips: 1 }],
  ['2.57', { injected_files: 1 }],
])('at %s the limits %j are bad input', async (version, quota_set) => {
  expect((await api.admin(`PUT ${shop}`, { version, body: { quota_set } })).status).toBe(400)
})

test('quotas are set by administrators, of projects that exist', async () => {
  const body = { quota_set: { cores: 1 } }
  expect((await api.member(`PUT ${shop}`, { body })).status).toBe(403)
  expect((await api.member(`DELETE ${shop}`)).status).toBe(403)
  expect((await api.member('GET /compute/v2.1/os-quota-class-sets/default')).status).toBe(403)
  expect((await api.stranger(`GET ${shop}`)).status).toBe(403)
  const unknown = await api.admin('PUT /compute/v2.1/os-quota-sets/nowhere', { body })
  expect([unknown.status, faultIn(unknown)[1]]).toEqual([400, 'Project ID nowhere is not a valid project.'])
  expect((await api.admin(`GET ${shop}?bogus=1`, { version: '2.74' })).status).toBe(200)
  expect((await api.admin(`GET ${shop}?bogus=1`, { version: '2.75' })).status).toBe(400)
})

test('key pairs are counted where they are made', async () => {
  const make = (name: string) => api.member('POST /compute/v2.1/os-keypairs', { body: { keypair: { name } } })
  await api.admin(`PUT ${shop}`, { body: { quota_set: { key_pairs: 1 } } })
  expect((await make('one')).status).toBe(200)
  const refused = await make('two')
  expect([refused.status, faultIn(refused)[1]]).toEqual([403, 'Quota exceeded, too many key pairs.'])
  expect((await api.member('GET /compute/v2.1/os-keypairs/two')).status).toBe(404)
})

import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { z } from 'zod'
import { startApi, type Client, type TestApi } from '../fixture.ts'

let api: TestApi
const own = randomUUID()
beforeAll(async () => {
  api = await startApi()
  await api
    .db('images')
    .insert({ id: own, projectId: api.projectId, name: 'own', status: 'active', visibility: 'private' })
})
afterAll(async () => {
  await api.stop()
})

const image = z.strictObject({
  id: z.uuid(),
  name: z.string(),
  status: z.literal('active'),
  visibility: z.enum(['public', 'private']),
  owner: z.string().nullable(),
  size: z.number().nullable(),
  virtual_size: z.null(),
  min_ram: z.number(),
  min_disk: z.number(),
  protected: z.boolean(),
  tags: z.array(z.string()),
  container_format: z.string().nullable(),
  disk_format: z.string().nullable(),
  checksum: z.null(),
  os_hash_algo: z.string().nullable(),
  os_hash_value: z.string().nullable(),
  os_hidden: z.literal(false),
  created_at: z.iso.datetime(),
  updated_at: z.iso.datetime(),
  self: z.string(),
  file: z.string(),
  schema: z.string(),
  os_distro: z.string().optional(),
})
const list = z.strictObject({
  images: z.array(image),
  first: z.string(),
  schema: z.string(),
  next: z.string().optional(),
})

async function names(query: string, client: Client = api.member): Promise<readonly string[]> {
  const { status, body } = await client(`GET /image/v2/images${query}`)
  expect(status).toBe(200)
  return list.parse(body).images.map(({ name }) => name)
}

test('a project sees its own images and the public ones', async () => {
  expect(await names('?sort=name:asc')).toEqual(['debian-12', 'own'])
  expect(await names('', api.stranger)).toEqual(['debian-12'])
  expect((await api.stranger(`GET /image/v2/images/${own}`)).status).toBe(404)
  expect((await api.member(`GET /image/v2/images/${own}`)).status).toBe(200)
})

test.each([
  ['?name=own', ['own']],
  ['?name=in:own,debian-12&sort=name:desc', ['own', 'debian-12']],
  ['?visibility=public', ['debian-12']],
  ['?status=queued', []],
  ['?owner=project-shop', ['own']],
  ['?limit=1&sort_key=name&sort_dir=asc', ['debian-12']],
])('images %s', async (query, expected) => {
  expect(await names(query)).toEqual(expected)
})

test('the next page is linked, and an unknown marker is bad input', async () => {
  const { next } = list.parse((await api.member('GET /image/v2/images?limit=1&sort=name:asc')).body)
  expect(next).toBe(`/v2/images?limit=1&sort=name%3Aasc&marker=${api.imageId}`)
  expect(await names(next?.replace('/v2/images', '') ?? '')).toEqual(['own'])
  expect((await api.member('GET /image/v2/images?marker=x')).status).toBe(400)
})

test('what is not found is said in HTML, without what was asked as markup, or in JSON', async () => {
  const html = await api.member('GET /image/v2/images/%3Cb%3E', { headers: { Accept: '*/*' } })
  expect([html.status, html.headers.get('content-type')]).toEqual([404, 'text/html; charset=utf-8'])
  expect(html.body).toContain('No image found with ID &#60;b&#62;')
  const { body } = await api.member('GET /image/v2/images/debian-12')
  expect(body).toEqual({ code: '404 Not Found', title: 'Not Found', message: 'No image found with ID debian-12' })
})

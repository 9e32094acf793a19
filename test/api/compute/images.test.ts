import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { z } from 'zod'
import { insertImage } from '../../../db/new-images.ts'
import { startApi, type TestApi } from '../fixture.ts'

let api: TestApi
let own: string
let shot: string
const server = randomUUID()
beforeAll(async () => {
  api = await startApi()
  const { projectId } = api
  own = (await insertImage(api.db, { projectId, name: 'own', properties: { a: '1' }, minMemoryMiB: 64 })).id
  const properties = { image_type: 'snapshot', instance_uuid: server }
  shot = (await insertImage(api.db, { projectId, name: 'shot', serverId: server, properties })).id
  await api.db('images').where({ id: shot }).update({ status: 'active' })
})
afterAll(async () => {
  await api.stop()
})

const path = '/compute/v2.1/images'
const link = z.strictObject({
  rel: z.enum(['self', 'bookmark', 'alternate']),
  href: z.url(),
  type: z.string().optional(),
})
const reference = z.strictObject({ id: z.uuid(), name: z.string(), links: z.array(link).length(3) })
const image = reference.extend({
  status: z.enum(['ACTIVE', 'SAVING', 'DELETED', 'ERROR', 'UNKNOWN']),
  created: z.iso.datetime(),
  updated: z.iso.datetime(),
  minDisk: z.int(),
  minRam: z.int(),
  progress: z.int(),
  metadata: z.record(z.string(), z.string()),
  'OS-EXT-IMG-SIZE:size': z.int().nullable(),
  server: z.strictObject({ id: z.uuid(), links: z.array(link).length(2) }).optional(),
})
const links = z.array(z.strictObject({ rel: z.literal('next'), href: z.url() })).optional()

async function names(query: string): Promise<readonly string[]> {
  const { body } = await api.member(`GET ${path}${query}`)
  const { images } = z.strictObject({ images: z.array(reference), images_links: links }).parse(body)
  return images.map(({ name }) => name).toSorted()
}

test('images are listed in brief and in full, and shown one by one', async () => {
  expect(await names('')).toEqual(['debian-12', 'own', 'shot'])
  const { body } = await api.member(`GET ${path}/detail`)
  const { images } = z.strictObject({ images: z.array(image) }).parse(body)
  expect(images.find(({ id }) => id === own)).toMatchObject({
    status: 'SAVING',
    progress: 25,
    minRam: 64,
    metadata: { a: '1' },
  })
  const { image: shown } = z.strictObject({ image }).parse((await api.member(`GET ${path}/${shot}`)).body)
  expect(shown).toMatchObject({ status: 'ACTIVE', progress: 100, server: { id: server } })
  expect((await api.stranger(`GET ${path}/${own}`)).status).toBe(404)
})

test.each([
  ['?name=own', ['own']],
  ['?status=saving', ['own']],
  ['?status=ACTIVE', ['debian-12', 'shot']],
  ['?status=bogus', []],
  ['?type=snapshot', ['shot']],
  [`?server=${server}`, ['shot']],
  [`?server=http://here/servers/${server}`, ['shot']],
  ['?property-a=1', ['own']],
  ['?minRam=64', ['own']],
  ['?changes-since=2999-01-01T00:00:00Z', []],
  ['?limit=0', []],
])('images that match %s', async (query, expected) => {
  expect(await names(query)).toEqual(expected)
})

test('the list is cut into pages', async () => {
  const page = z.object({ images: z.array(reference), images_links: links })
  const first = page.parse((await api.member(`GET ${path}?limit=2`)).body)
  const rest = first.images_links?.[0]?.href.replace(api.url, '') ?? ''
  const second = page.parse((await api.member(`GET ${rest}`)).body)
  expect(new Set([...first.images, ...second.images].map(({ id }) => id)).size).toBe(3)
  expect((await api.member(`GET ${path}?marker=${randomUUID()}`)).status).toBe(400)
})

test('metadata of an image are merged, replaced, set and taken away', async () => {
  const metadata = `${path}/${own}/metadata`
  const body = (items: unknown) => ({ body: { metadata: items } })
  expect((await api.member(`PUT ${metadata}`, body({ a: '1', b: '2' }))).body).toEqual({ metadata: { a: '1', b: '2' } })
  expect((await api.member(`POST ${metadata}`, body({ b: '3', c: '4' }))).body).toEqual({
    metadata: { a: '1', b: '3', c: '4' },
  })
  expect((await api.member(`PUT ${metadata}/a`, { body: { meta: { a: 'x' } } })).body).toEqual({ meta: { a: 'x' } })
  expect((await api.member(`GET ${metadata}/a`)).body).toEqual({ meta: { a: 'x' } })
  expect((await api.member(`DELETE ${metadata}/c`)).status).toBe(204)
  expect((await api.member(`DELETE ${metadata}/c`)).status).toBe(404)
  expect((await api.member(`GET ${metadata}`)).body).toEqual({ metadata: { a: 'x', b: '3' } })
  expect((await api.member(`PUT ${metadata}/a`, { body: { meta: { b: 'x' } } })).status).toBe(400)
  expect((await api.member(`PUT ${metadata}/a`, { body: { meta: { a: '1', b: '2' } } })).status).toBe(400)
  expect((await api.member(`POST ${metadata}`, body({ a: 1 }))).status).toBe(400)
  const many = Object.fromEntries(Array.from({ length: 129 }, (_, index) => [`k${index}`, 'v']))
  expect((await api.member(`PUT ${metadata}`, body(many))).status).toBe(403)
  expect((await api.member(`PUT ${path}/${api.imageId}/metadata`, body({}))).status).toBe(403)
  expect((await api.member(`GET ${path}/${randomUUID()}/metadata`)).status).toBe(404)
})

test('an image is deleted by its project, and Nova knows no images from 2.36 on', async () => {
  expect((await api.member(`DELETE ${path}/${api.imageId}`)).status).toBe(403)
  expect((await api.stranger(`DELETE ${path}/${shot}`)).status).toBe(404)
  const removed = await api.member(`DELETE ${path}/${shot}`)
  expect([removed.status, removed.body]).toEqual([204, undefined])
  expect((await api.member(`DELETE ${path}/${shot}`)).status).toBe(404)
  expect((await api.member(`DELETE ${path}/`)).status).toBe(404)
  expect((await api.member(`GET ${path}`, { version: '2.36' })).status).toBe(404)
  expect((await api.member(`GET ${path}/${own}/metadata`, { version: '2.38' })).status).toBe(200)
  expect((await api.member(`GET ${path}/${own}/metadata`, { version: '2.39' })).status).toBe(404)
})

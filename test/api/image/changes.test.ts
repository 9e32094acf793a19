import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { z } from 'zod'
import { startApi, type Answer, type Client, type TestApi } from '../fixture.ts'

let api: TestApi
beforeAll(async () => {
  api = await startApi()
})
afterAll(async () => {
  await api.stop()
})

const path = '/image/v2/images'
const made = z.looseObject({ id: z.uuid() })

function post(fields: Readonly<Record<string, unknown>>, client: Client = api.member): Promise<Answer> {
  return client(`POST ${path}`, { body: fields })
}

async function make(fields: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const answer = await post({ name: 'mine', ...fields })
  expect([answer.status, answer.body]).toEqual([201, expect.anything()])
  return made.parse(answer.body).id
}

function patch(id: string, steps: unknown, client: Client = api.member): Promise<Answer> {
  const headers = { 'Content-Type': 'application/openstack-images-v2.1-json-patch' }
  return client(`PATCH ${path}/${id}`, { body: steps, headers })
}

test('a new image waits for its bytes, and is its project’s alone', async () => {
  const answer = await post({ name: 'box', disk_format: 'raw', container_format: 'bare', hw_model: 'x', tags: ['a'] })
  expect(answer.status).toBe(201)
  const { id } = made.parse(answer.body)
  expect(answer.headers.get('location')).toBe(`${api.url}${path}/${id}`)
  expect(answer.body).toMatchObject({
    name: 'box',
    status: 'queued',
    visibility: 'shared',
    owner: api.projectId,
    size: null,
    checksum: null,
    disk_format: 'raw',
    container_format: 'bare',
    hw_model: 'x',
    tags: ['a'],
    os_hidden: false,
  })
  expect((await api.stranger(`GET ${path}/${id}`)).status).toBe(404)
  expect((await api.member(`GET ${path}/${id}/file`)).status).toBe(204)
  expect((await api.member(`DELETE ${path}/${id}`)).status).toBe(204)
  expect((await api.member(`GET ${path}/${id}`)).status).toBe(404)
  expect((await api.member(`DELETE ${path}/${id}`)).status).toBe(404)
})

test.each([
  ['a field of Glance’s own', { status: 'active' }, 403],
  ['a reserved name', { os_glance_import: 'x' }, 403],
  ['an unknown format', { disk_format: 'floppy' }, 400],
  ['a property that is no text', { answer: 42 }, 400],
  ['a name too long', { name: 'x'.repeat(256) }, 400],
  ['an id that is none', { id: 'x' }, 400],
  ['everybody’s eyes', { visibility: 'public' }, 403],
])('%s is refused of a user', async (_what, fields, status) => {
  expect((await post(fields)).status).toBe(status)
})

test('an id may be chosen, once', async () => {
  const id = randomUUID()
  expect(await make({ id })).toBe(id)
  expect((await post({ id })).status).toBe(409)
  expect((await post({}, api.reader)).status).toBe(403)
  expect((await post({ visibility: 'public' }, api.admin)).status).toBe(201)
})

test('a patch adds, replaces and removes; one bad step leaves all as it was', async () => {
  const id = await make({ kept: 'a', gone: 'b' })
  const steps = [
    { op: 'replace', path: '/name', value: 'other' },
    { op: 'add', path: '/hw~1x', value: 'y' },
    { op: 'replace', path: '/kept', value: 'c' },
    { op: 'remove', path: '/gone' },
    { op: 'replace', path: '/tags', value: ['t'] },
    { op: 'add', path: '/tags/-', value: 'u' },
    { op: 'replace', path: '/min_ram', value: 64 },
    { op: 'replace', path: '/visibility', value: 'private' },
  ]
  const { status, body } = await patch(id, steps)
  expect([status, body]).toMatchObject([
    200,
    { name: 'other', 'hw/x': 'y', kept: 'c', tags: ['t', 'u'], min_ram: 64, visibility: 'private' },
  ])
  expect(body).not.toHaveProperty('gone')
  for (const [step, code] of [
    [{ op: 'replace', path: '/id', value: 'x' }, 403],
    [{ op: 'remove', path: '/name' }, 403],
    [{ op: 'remove', path: '/gone' }, 409],
    [{ op: 'replace', path: '/gone', value: 'x' }, 409],
    [{ op: 'add', path: '/a/b', value: 'x' }, 400],
    [{ op: 'replace', path: '/min_ram', value: -1 }, 400],
    [{ op: 'replace', path: '/visibility', value: 'public' }, 403],
  ] as const)
    expect((await patch(id, [{ op: 'replace', path: '/name', value: 'never' }, step])).status).toBe(code)
  expect((await api.member(`GET ${path}/${id}`)).body).toMatchObject({ name: 'other', min_ram: 64 })
  expect((await api.member(`PATCH ${path}/${id}`, { body: [] })).status).toBe(415)
  expect((await patch(id, [], api.stranger)).status).toBe(404)
})

test('an image is changed and deleted by its project only, and a protected one by nobody', async () => {
  expect((await patch(api.imageId, [{ op: 'add', path: '/a', value: 'b' }])).status).toBe(403)
  expect((await api.member(`DELETE ${path}/${api.imageId}`)).status).toBe(403)
  const id = await make({ protected: true })
  expect((await api.admin(`DELETE ${path}/${id}`)).status).toBe(403)
  await patch(id, [{ op: 'replace', path: '/protected', value: false }])
  expect((await api.member(`DELETE ${path}/${id}`)).status).toBe(204)
})

test('tags come and go one by one', async () => {
  const id = await make()
  for (const tag of ['red', 'red', 'blue']) expect((await api.member(`PUT ${path}/${id}/tags/${tag}`)).status).toBe(204)
  expect((await api.member(`DELETE ${path}/${id}/tags/red`)).status).toBe(204)
  expect((await api.member(`DELETE ${path}/${id}/tags/red`)).status).toBe(404)
  expect((await api.member(`GET ${path}/${id}`)).body).toMatchObject({ tags: ['blue'] })
})

const listed = z.looseObject({ images: z.array(z.looseObject({ id: z.uuid() })) })
const idsOf = async (query: string, client: Client = api.member): Promise<readonly string[]> =>
  listed.parse((await client(`GET ${path}${query}`)).body).images.map(({ id }) => id)

test('an image is shared with a project, which accepts it', async () => {
  const id = await make({ name: 'ours' })
  const members = `${path}/${id}/members`
  const member = { member: 'project-elsewhere' }
  expect((await api.member(`POST ${members}`, { body: member })).body).toMatchObject({
    image_id: id,
    member_id: 'project-elsewhere',
    status: 'pending',
  })
  expect((await api.member(`POST ${members}`, { body: member })).status).toBe(409)
  expect((await api.stranger(`GET ${path}/${id}`)).status).toBe(200)
  expect(await idsOf('', api.stranger)).not.toContain(id)
  expect(await idsOf('?member_status=pending', api.stranger)).toContain(id)
  const own = `${members}/project-elsewhere`
  expect((await api.member(`PUT ${own}`, { body: { status: 'accepted' } })).status).toBe(403)
  expect((await api.stranger(`PUT ${own}`, { body: { status: 'maybe' } })).status).toBe(400)
  expect((await api.stranger(`PUT ${own}`, { body: { status: 'accepted' } })).body).toMatchObject({
    status: 'accepted',
  })
  expect(await idsOf('', api.stranger)).toContain(id)
  expect((await api.stranger(`GET ${members}`)).body).toMatchObject({ members: [{ status: 'accepted' }] })
  expect((await api.stranger(`GET ${members}/project-shop`)).status).toBe(404)
  expect((await api.stranger(`DELETE ${own}`)).status).toBe(403)
  expect((await api.member(`DELETE ${own}`)).status).toBe(204)
  expect((await api.member(`DELETE ${own}`)).status).toBe(404)
  expect((await api.stranger(`GET ${path}/${id}`)).status).toBe(404)
  await patch(id, [{ op: 'replace', path: '/visibility', value: 'private' }])
  expect((await api.member(`POST ${members}`, { body: member })).status).toBe(403)
})

test('lists leave out what is hidden or of the community, unless asked, and find by properties', async () => {
  const hidden = await make({ os_hidden: true })
  const common = await make({ visibility: 'community' })
  const special = await make({ purpose: 'web', min_disk: 3, disk_format: 'iso' })
  expect(await idsOf('')).not.toContain(hidden)
  expect(await idsOf('?os_hidden=true')).toEqual([hidden])
  expect(await idsOf('', api.stranger)).not.toContain(common)
  expect(await idsOf('?visibility=community', api.stranger)).toEqual([common])
  expect(await idsOf('?purpose=web')).toEqual([special])
  expect(await idsOf('?min_disk=3')).toEqual([special])
  expect(await idsOf('?disk_format=iso')).toEqual([special])
  expect(await idsOf('?size_min=1')).toEqual([api.imageId])
  for (const query of ['size_min=x', 'protected=perhaps', 'member_status=x', 'visibility=x'])
    expect((await api.member(`GET ${path}?${query}`)).status).toBe(400)
})

test('schemas say what an image is, and which ways there are to bring bytes', async () => {
  for (const name of ['image', 'images', 'member', 'members'])
    expect((await api.member(`GET /image/v2/schemas/${name}`)).body).toMatchObject({ name, properties: {} })
  expect((await api.member('GET /image/v2/info/import')).body).toMatchObject({
    'import-methods': { value: ['glance-direct'] },
  })
})

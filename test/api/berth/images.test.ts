/** Where images are and are to be, over HTTP; what agents do about it is in test/agent and the journeys. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { z } from 'zod'
import { missingImages } from '../../../db/image-care.ts'
import { reportImage } from '../../../db/host-images.ts'
import { activateImage, insertImage } from '../../../db/new-images.ts'
import { addHost, startApi, type TestApi } from '../fixture.ts'

let api: TestApi
let id: string
const reference = `127.0.0.1:5010/images/golden@sha256:${'d'.repeat(64)}`
beforeAll(async () => {
  api = await startApi()
  for (const name of ['host-1', 'host-2']) await addHost(api.db, name)
  id = (await insertImage(api.db, { projectId: 'project-shop', name: 'golden' })).id
  await activateImage(api.db, id, {
    reference,
    sizeBytes: 7,
    layers: 3,
    fileDigest: null,
    checksum: null,
    sha512: null,
  })
}, 120_000)
afterAll(() => api.stop())

const wanted = (host: string): Promise<readonly string[]> => missingImages(api.db, { host, isPublic: false })
const listed = z.object({ images: z.array(z.looseObject({ id: z.string() })) })

async function shown(): Promise<unknown> {
  return listed.parse((await api.admin('GET /berth/v1/images')).body).images.find((image) => image.id === id)
}

test('an image that is wished for is brought to the hosts named, or to all, until nobody wishes it', async () => {
  const cache = `POST /berth/v1/images/${id}/cache`
  expect((await api.admin(cache, { body: { hosts: ['host-2'] } })).status).toBe(202)
  expect([await wanted('host-1'), await wanted('host-2')]).toEqual([[], [reference]])
  expect((await api.admin(cache, { body: {} })).status).toBe(202)
  expect([await wanted('host-1'), await wanted('host-2')]).toEqual([[reference], [reference]])
  await reportImage(api.db, 'host-2', reference)
  expect([await wanted('host-1'), await wanted('host-2')]).toEqual([[reference], []])
  expect(await shown()).toMatchObject({
    digest: `sha256:${'d'.repeat(64)}`,
    layers: 3,
    hosts: ['host-2'],
    wished: ['host-2', '*'],
  })
  expect((await api.admin(`DELETE /berth/v1/images/${id}/cache`)).status).toBe(204)
  expect(await wanted('host-1')).toEqual([])
})

test("Nova's own way to say so is for the hosts of an aggregate", async () => {
  const aggregate = z.object({ aggregate: z.object({ id: z.number() }) })
  const made = await api.admin('POST /compute/v2.1/os-aggregates', { body: { aggregate: { name: 'racks' } } })
  const at = `/compute/v2.1/os-aggregates/${aggregate.parse(made.body).aggregate.id}`
  await api.admin(`POST ${at}/action`, { body: { add_host: { host: 'host-1' } } })
  const body = { cache: [{ id }] }
  expect((await api.admin(`POST ${at}/images`, { body, version: '2.80' })).status).toBe(404)
  expect((await api.admin(`POST ${at}/images`, { body, version: '2.81' })).status).toBe(202)
  expect([await wanted('host-1'), await wanted('host-2')]).toEqual([[reference], []])
  expect((await api.member(`POST ${at}/images`, { body, version: '2.81' })).status).toBe(403)
})

test('an unknown host, an image without bytes and who is no administrator are refused', async () => {
  const unknown = await api.admin(`POST /berth/v1/images/${id}/cache`, { body: { hosts: ['nowhere'] } })
  expect([unknown.status, JSON.stringify(unknown.body)]).toEqual([404, expect.stringContaining('nowhere')])
  const empty = (await insertImage(api.db, { projectId: 'project-shop', name: 'empty' })).id
  expect((await api.admin(`POST /berth/v1/images/${empty}/cache`, { body: {} })).status).toBe(400)
  expect((await api.member('GET /berth/v1/images')).status).toBe(403)
  expect((await api.member('POST /berth/v1/images/sweep', { body: { dry_run: true } })).status).toBe(403)
})

test('a host whose agent does not answer is told, and the others are swept all the same', async () => {
  const { status, body } = await api.admin('POST /berth/v1/images/sweep', { body: { dry_run: true } })
  expect(status).toBe(200)
  expect(body).toMatchObject({
    dry_run: true,
    hosts: [
      { host: 'host-1', images: null, error: expect.stringContaining('has no agent') },
      { host: 'host-2', images: null, error: expect.stringContaining('has no agent') },
    ],
  })
})

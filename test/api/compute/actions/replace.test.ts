/** rebuild, rescue, shelve: another disk for the same server. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { z } from 'zod'
import type { VmState } from '../../../../core/states.ts'
import { offload } from '../../../../db/placement.ts'
import { advance } from '../../../../db/servers.ts'
import { addHost, boot, faultIn, jobsOf, place, startApi, type Answer, type TestApi } from '../../fixture.ts'

let api: TestApi
let other: string
beforeAll(async () => {
  api = await startApi()
  other = randomUUID()
  await api.db('images').insert({
    id: other,
    projectId: api.projectId,
    name: 'other',
    status: 'active',
    visibility: 'private',
    reference: `127.0.0.1:5010/images/other@sha256:${'c'.repeat(64)}`,
    sizeBytes: 1000,
  })
})
afterAll(async () => {
  await api.stop()
})

async function act(id: string, body: unknown, version?: string): Promise<Answer> {
  return await api.member(`POST /compute/v2.1/servers/${id}/action`, { body, ...(version ? { version } : {}) })
}

async function standing(vmState: VmState = 'active'): Promise<string> {
  const id = await boot(api)
  await place(api.db, id, vmState)
  return id
}

async function row(id: string): Promise<unknown> {
  return await api.db('servers').where({ id }).first()
}

test.each([
  ['active', false],
  ['stopped', true],
  ['error', false],
] as const)(
  'rebuild of an %s server shows the new image at once, and its host has the job',
  async (state, isStopped) => {
    const id = await standing(state)
    const { status, body } = await act(id, { rebuild: { imageRef: other, name: 'new', adminPass: 'secret' } })
    expect(status).toBe(202)
    expect(body).toMatchObject({
      server: { name: 'new', status: 'REBUILD', image: { id: other }, adminPass: 'secret' },
    })
    expect((await jobsOf(api.db, id)).at(-1)).toMatchObject({
      taskIdentifier: 'host-1/server.rebuild',
      payload: { isStopped, previousImageId: api.imageId, reference: expect.stringContaining('images/other@') },
    })
  },
)

test('a rebuild shows what a look at the server shows, from 2.75, and the user data under a name of its own', async () => {
  const id = await standing()
  const rebuilt = await api.admin(`POST /compute/v2.1/servers/${id}/action`, {
    body: { rebuild: { imageRef: api.imageId, user_data: 'aGVsbG8=' } },
    version: '2.75',
  })
  const seen = await api.admin(`GET /compute/v2.1/servers/${id}`, { version: '2.75' })
  const fields = ({ body }: Answer): readonly string[] =>
    Object.keys(z.object({ server: z.record(z.string(), z.unknown()) }).parse(body).server)
  const expected = fields(seen).map((field) => field.replace('OS-EXT-SRV-ATTR:user_data', 'user_data'))
  expect(fields(rebuilt).toSorted()).toEqual([...expected, 'adminPass'].toSorted())
  expect(rebuilt.body).toMatchObject({ server: { user_data: 'aGVsbG8=' } })
})

test('rebuild refuses what is not there, what is too big, and keys that came later', async () => {
  const id = await standing()
  expect((await act(id, { rebuild: { imageRef: randomUUID() } })).status).toBe(400)
  expect((await act(id, { rebuild: { imageRef: other, description: 'x' } })).status).toBe(400)
  expect((await act(id, { rebuild: { imageRef: other, key_name: 'none' } }, '2.54')).status).toBe(400)
  await api.db('images').where({ id: other }).update({ minMemoryMiB: 100_000 })
  expect(faultIn(await act(id, { rebuild: { imageRef: other } }))[1]).toMatch(/memory is too small/)
  await api.db('images').where({ id: other }).update({ minMemoryMiB: 0 })
  expect(await row(id)).toMatchObject({ taskState: null, imageId: api.imageId })
  expect((await act(await standing('rescued'), { rebuild: { imageRef: other } })).status).toBe(409)
})

test.each(['active', 'stopped', 'error'] as const)('rescue of an %s server answers with a password', async (state) => {
  const id = await standing(state)
  const { status, body } = await act(id, { rescue: { adminPass: 'open sesame', rescue_image_ref: other } })
  expect([status, body]).toEqual([200, { adminPass: 'open sesame' }])
  expect(await row(id)).toMatchObject({
    taskState: 'rescuing',
    rescueReference: expect.stringContaining('images/other'),
  })
  expect((await jobsOf(api.db, id)).at(-1)).toMatchObject({ taskIdentifier: 'host-1/server.rescue' })
})

test('a rescue without a password makes one; a rescued server is unrescued, and nothing else', async () => {
  const made = await act(await standing(), { rescue: null })
  expect(z.object({ adminPass: z.string().min(12) }).parse(made.body).adminPass).toMatch(/^[2-9A-HJ-NP-Za-km-z]+$/)
  expect((await act(await standing('paused'), { rescue: null })).status).toBe(409)
  expect((await act(await standing(), { unrescue: null })).status).toBe(409)
  const id = await standing('rescued')
  expect((await act(id, { rescue: null })).status).toBe(409)
  expect((await act(id, { reboot: { type: 'HARD' } })).status).toBe(409)
  expect((await act(id, { unrescue: null })).status).toBe(202)
  expect(await row(id)).toMatchObject({ taskState: 'unrescuing' })
})

test('a shelved server has an image of its name, gives its place up, and keeps its ports', async () => {
  const id = await standing()
  expect((await act(id, { shelve: null })).status).toBe(202)
  const images = await api.member('GET /image/v2/images?name=web-shelved')
  expect(images.body).toMatchObject({ images: [{ status: 'queued', instance_uuid: id }] })
  expect((await jobsOf(api.db, id)).at(-1)).toMatchObject({ taskIdentifier: 'host-1/server.shelve' })
  await advance(api.db, id, 'shelving', 'shelving_offloading')
  const ports = await api.db('ports').where({ serverId: id }).count()
  await api.db.transaction((trx) => offload(trx, id))
  expect(await api.db('ports').where({ serverId: id }).count()).toEqual(ports)
  const shown = await api.admin(`GET /compute/v2.1/servers/${id}`)
  expect(shown.body).toMatchObject({
    server: { status: 'SHELVED_OFFLOADED', hostId: '', 'OS-EXT-SRV-ATTR:host': null, 'OS-EXT-STS:power_state': 0 },
  })
  expect((await act(id, { shelve: null })).status).toBe(409)
  expect((await act(id, { unshelve: null })).status).toBe(202)
  expect((await jobsOf(api.db, id)).at(-1)).toMatchObject({ taskIdentifier: 'schedule' })
})

test('an offloaded server is sent to a zone or a host; one that stands somewhere is not', async () => {
  await addHost(api.db, 'host-1')
  const id = await standing('shelved_offloaded')
  await api.db('servers').where({ id }).update({ host: null, pinnedZone: 'gone' })
  const ask = async (place: unknown, version = '2.91', client = api.admin): Promise<Answer> =>
    await client(`POST /compute/v2.1/servers/${id}/action`, { body: { unshelve: place }, version })
  expect((await ask({}, '2.91')).status).toBe(400)
  expect((await ask({ host: 'host-1' }, '2.77')).status).toBe(400)
  expect((await ask({ availability_zone: null }, '2.77')).status).toBe(400)
  expect((await ask({ availability_zone: 'nowhere' }, '2.77')).status).toBe(400)
  expect((await ask({ host: 'host-9' })).status).toBe(400)
  expect((await ask({ host: 'host-1' }, '2.91', api.member)).status).toBe(403)
  const elsewhere = await ask({ host: 'host-1' })
  expect([elsewhere.status, faultIn(elsewhere)[1]]).toEqual([
    409,
    'Host "host-1" is not in the availability zone "gone".',
  ])
  expect(await row(id)).toMatchObject({ taskState: null, pinnedZone: 'gone' })
  expect((await ask({ host: 'host-1', availability_zone: null })).status).toBe(202)
  expect(await row(id)).toMatchObject({ taskState: 'unshelving', pinnedZone: null, requestedHost: 'host-1' })
  expect((await jobsOf(api.db, id)).at(-1)).toMatchObject({ taskIdentifier: 'schedule' })
  expect((await act(await standing('shelved'), { unshelve: { availability_zone: 'nova' } }, '2.77')).status).toBe(409)
})

test('only an administrator offloads, and only what is shelved', async () => {
  const id = await standing('shelved')
  expect((await act(id, { shelveOffload: null })).status).toBe(403)
  const path = `POST /compute/v2.1/servers/${id}/action`
  expect((await api.admin(path, { body: { shelveOffload: null } })).status).toBe(202)
  const active = await standing()
  const refused = await api.admin(`POST /compute/v2.1/servers/${active}/action`, { body: { shelveOffload: null } })
  expect(refused.status).toBe(409)
  expect((await act(await standing('shelved'), { unshelve: null })).status).toBe(202)
})

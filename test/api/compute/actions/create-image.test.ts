import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { z } from 'zod'
import { activateImage, rotateBackups } from '../../../../db/new-images.ts'
import { release } from '../../../../db/servers.ts'
import { setQuota } from '../../../../db/quotas.ts'
import { boot, faultIn, jobsOf, place, startApi, type Answer, type TestApi } from '../../fixture.ts'

let api: TestApi
beforeAll(async () => {
  api = await startApi()
})
afterAll(async () => {
  await api.stop()
})

async function act(id: string, body: unknown, version?: string): Promise<Answer> {
  return await api.member(`POST /compute/v2.1/servers/${id}/action`, { body, ...(version ? { version } : {}) })
}

async function standing(vmState: 'active' | 'stopped' | 'paused' | 'suspended' | 'error' = 'active'): Promise<string> {
  const id = await boot(api)
  await place(api.db, id, vmState)
  return id
}

async function imageOf(id: string): Promise<Readonly<Record<string, unknown>>> {
  const { body } = await api.member(`GET /image/v2/images/${id}`)
  return z.record(z.string(), z.unknown()).parse(body)
}

function imageIn({ body }: Answer): string {
  return z.object({ image_id: z.uuid() }).parse(body).image_id
}

test.each(['active', 'stopped', 'paused', 'suspended'] as const)(
  'the image of an %s server waits for its bytes, and knows where it comes from',
  async (state) => {
    const id = await standing(state)
    const answer = await act(id, { createImage: { name: 'shot', metadata: { purpose: 'test' } } }, '2.45')
    expect(answer.status).toBe(202)
    expect(await imageOf(imageIn(answer))).toMatchObject({
      name: 'shot',
      status: 'queued',
      visibility: 'private',
      owner: api.projectId,
      purpose: 'test',
      instance_uuid: id,
      image_type: 'snapshot',
      base_image_ref: api.imageId,
      os_distro: 'debian',
    })
    expect((await jobsOf(api.db, id)).at(-1)).toMatchObject({
      taskIdentifier: 'host-1/server.snapshot',
      payload: { imageId: imageIn(answer) },
    })
    expect(await api.db('servers').where({ id }).first()).toMatchObject({ vmState: state, taskState: 'image_snapshot' })
  },
)

test('before 2.45 the header says where the image is', async () => {
  const { status, headers, body } = await act(await standing(), { createImage: { name: 'shot' } })
  expect([status, body]).toEqual([202, undefined])
  expect(headers.get('location')).toMatch(/\/compute\/images\/[0-9a-f-]{36}$/)
})

test('a locked server has its image taken, but no backup', async () => {
  const id = await standing()
  await api.member(`POST /compute/v2.1/servers/${id}/action`, { body: { lock: null } })
  const admin = await api.admin(`POST /compute/v2.1/servers/${id}/action`, { body: { lock: null } })
  expect(admin.status).toBe(202)
  const backup = { name: 'b', backup_type: 'daily', rotation: 1 }
  expect((await act(id, { createBackup: backup })).status).toBe(409)
  expect((await act(id, { createImage: { name: 'shot' } })).status).toBe(202)
})

test.each([
  ['a name of 256 characters', { name: 'x'.repeat(256) }],
  ['an empty name', { name: '' }],
  ['metadata that is no text', { name: 'a', metadata: { k: {} } }],
  ['an unknown key', { name: 'a', other: 1 }],
])('%s is bad input', async (_, createImage) => {
  expect((await act(await standing(), { createImage })).status).toBe(400)
})

test('a server in error or with a task has no image taken, and one of many metadata exceeds the quota', async () => {
  const broken = await act(await standing('error'), { createImage: { name: 'a' } })
  expect([broken.status, faultIn(broken)[1]]).toEqual([409, expect.stringContaining('while it is in vm_state error')])
  const id = await standing()
  await act(id, { createImage: { name: 'a' } })
  expect((await act(id, { createImage: { name: 'a' } })).status).toBe(409)
  await setQuota(api.db, api.projectId, 'metadata_items', 1)
  const many = await act(await standing(), { createImage: { name: 'a', metadata: { a: '1', b: '2' } } })
  expect([many.status, faultIn(many)[0]]).toEqual([403, 'forbidden'])
  await setQuota(api.db, api.projectId, 'metadata_items', 128)
})

test('of the backups of one type the newest stay, as many as the rotation says; snapshots and other types are left alone', async () => {
  const id = await standing()
  const make = async (body: unknown): Promise<string> => {
    const image = imageIn(await act(id, body, '2.45'))
    const bytes = { reference: `r/images/x@sha256:${'b'.repeat(64)}`, sizeBytes: 1 }
    await activateImage(api.db, image, { ...bytes, layers: 1, fileDigest: null, checksum: null, sha512: null })
    const { taskState } = z
      .object({ taskState: z.enum(['image_backup', 'image_snapshot']) })
      .parse(await api.db('servers').where({ id }).first())
    await release(api.db, id, taskState)
    await rotateBackups(api.db, image)
    return image
  }
  const backup = (name: string, backup_type = 'daily'): unknown => ({
    createBackup: { name, backup_type, rotation: 2 },
  })
  const shot = await make({ createImage: { name: 'shot' } })
  const weekly = await make(backup('w', 'weekly'))
  const daily = [await make(backup('1')), await make(backup('2')), await make(backup('3'))]
  const rows = await api
    .db('images')
    .whereIn('id', [shot, weekly, ...daily])
    .whereNot({ status: 'deleted' })
    .pluck('id')
  expect(new Set(rows)).toEqual(new Set([shot, weekly, ...daily.slice(1)]))
  expect(await imageOf(daily[2] ?? '')).toMatchObject({ image_type: 'backup', backup_type: 'daily' })
})

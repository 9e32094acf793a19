/** Backups by policy: set over HTTP, begun by a scheduler; what an agent does with them is in the journeys. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { pino } from 'pino'
import { z } from 'zod'
import { activateImage, deleteImage, rotateBackups } from '../../../db/new-images.ts'
import { newestImageOf } from '../../../db/images.ts'
import { takeBackups } from '../../../scheduler/backups.ts'
import { addHost, boot, place, startApi, type TestApi } from '../fixture.ts'

const policies = '/berth/v1/backup-policies'
let api: TestApi
beforeAll(async () => {
  api = await startApi()
  await addHost(api.db, 'host-1')
}, 120_000)
afterEach(async () => {
  await api.db('backup_policies').delete()
  await api.db('images').whereNotNull('serverId').delete()
  await api.db('servers').update({ deletedAt: new Date() })
})
afterAll(() => api.stop())

const one = z.object({ backup_policy: z.looseObject({ id: z.string() }) })

async function set(body: Readonly<Record<string, unknown>>): Promise<string> {
  const answer = await api.member(`PUT ${policies}`, { body: { interval_seconds: 3600, keep: 2, ...body } })
  expect(answer.status).toBe(200)
  return one.parse(answer.body).backup_policy.id
}

async function guest(name: string): Promise<string> {
  const id = await boot(api, { name })
  await place(api.db, id)
  return id
}

async function look(): Promise<void> {
  await takeBackups({ db: api.db, config: { backupsAtOnce: 2, reconcileSeconds: 30 }, log: pino({ level: 'silent' }) })
}

async function backups(serverId: string) {
  return await api.db('images').where({ serverId }).orderBy('createdAt', 'desc')
}

/** What an agent would do with it, so long ago. */
async function taken(serverId: string, minutesAgo: number, tookMinutes = 0): Promise<string> {
  const [newest] = await backups(serverId)
  const reference = `r/images/${newest?.id ?? ''}@sha256:${'b'.repeat(64)}`
  await activateImage(api.db, newest?.id ?? '', {
    reference,
    sizeBytes: 1,
    layers: 1,
    fileDigest: null,
    checksum: null,
    sha512: null,
  })
  await api
    .db('images')
    .where({ id: newest?.id ?? '' })
    .update({
      createdAt: new Date(Date.now() - minutesAgo * 60_000),
      updatedAt: new Date(Date.now() - (minutesAgo - tookMinutes) * 60_000),
    })
  await api.db('servers').where({ id: serverId }).update({ taskState: null })
  return newest?.id ?? ''
}

test('a server is backed up as often as its policy says, and once however many schedulers look', async () => {
  const id = await guest('web')
  await set({ server_id: id })
  await Promise.all([look(), look(), look()])
  expect(await backups(id)).toMatchObject([
    { status: 'queued', properties: { image_type: 'backup', backup_type: 'periodic', berth_rotation: '2' } },
  ])
  const { rows } = await api.db.raw<{ rows: unknown[] }>(
    `select 1 from graphile_worker._private_jobs where payload->>'imageId' = ?`,
    [(await backups(id))[0]?.id ?? ''],
  )
  expect(rows).toHaveLength(1)
  await taken(id, 59)
  await look()
  expect(await backups(id)).toHaveLength(1)
  await taken(id, 61)
  await look()
  expect(await backups(id)).toHaveLength(2)
})

test('a backup begins so early that nobody loses more than the interval, however long it takes', async () => {
  const id = await guest('web')
  await set({ server_id: id })
  await look()
  await taken(id, 54, 5)
  await look()
  expect(await backups(id)).toHaveLength(1)
  await taken(id, 55, 5)
  await look()
  expect(await backups(id)).toHaveLength(2)
})

test("of a project's servers those with a policy of their own go by that", async () => {
  const [common, own, shielded] = [await guest('common'), await guest('own'), await guest('shielded')]
  await set({ name: 'all' })
  await set({ name: 'mine', server_id: own, keep: 7 })
  await set({ server_id: shielded, enabled: false })
  await look()
  expect(await backups(common)).toMatchObject([{ properties: { backup_type: 'all' } }])
  expect(await backups(own)).toMatchObject([{ properties: { backup_type: 'mine', berth_rotation: '7' } }])
  expect(await backups(shielded)).toEqual([])
})

test('a host takes no more backups at once than it may', async () => {
  const ids = [await guest('a'), await guest('b'), await guest('c')]
  await set({})
  await look()
  const begun = (await Promise.all(ids.map(backups))).map((rows) => rows.length)
  expect(begun.toSorted()).toEqual([0, 1, 1])
  await look()
  expect((await Promise.all(ids.map(backups))).map((rows) => rows.length)).toEqual(begun)
})

test('a backup that failed is tried again before the interval is over', async () => {
  const id = await guest('web')
  await set({ server_id: id })
  await look()
  await deleteImage(api.db, (await backups(id))[0]?.id ?? '')
  await api.db('servers').where({ id }).update({ taskState: null })
  await look()
  expect(await backups(id)).toHaveLength(1)
  await api
    .db('images')
    .where({ serverId: id })
    .update({ createdAt: new Date(Date.now() - 7 * 60_000) })
  await look()
  expect(await backups(id)).toHaveLength(2)
})

test('the newest stay, and an evacuation takes the newest', async () => {
  const id = await guest('web')
  await set({ server_id: id })
  const made: string[] = []
  for (const minutesAgo of [300, 200, 100]) {
    await look()
    made.push(await taken(id, minutesAgo))
    await rotateBackups(api.db, made.at(-1) ?? '')
  }
  const left = (await backups(id)).filter(({ status }) => status === 'active').map((row) => row.id)
  expect(left).toEqual([made[2], made[1]])
  expect((await newestImageOf(api.db, id))?.id).toBe(made[2])
})

test('a policy is seen and changed by its own project and by administrators', async () => {
  const id = await set({})
  expect(await api.member(`GET ${policies}`)).toMatchObject({
    body: { backup_policies: [{ id, server_id: null, interval_seconds: 3600, keep: 2, enabled: true }] },
  })
  expect((await api.admin(`GET ${policies}/${id}`)).status).toBe(200)
  expect((await api.stranger(`GET ${policies}/${id}`)).status).toBe(404)
  expect((await api.stranger(`DELETE ${policies}/${id}`)).status).toBe(404)
  expect((await api.reader(`DELETE ${policies}/${id}`)).status).toBe(403)
  const foreign = { project_id: 'project-shop', interval_seconds: 60, keep: 1 }
  expect((await api.stranger(`PUT ${policies}`, { body: foreign })).status).toBe(403)
  expect(await set({ keep: 9 })).toBe(id)
  expect((await api.member(`PUT ${policies}`, { body: { interval_seconds: 5, keep: 1 } })).status).toBe(400)
  expect((await api.member(`DELETE ${policies}/${id}`)).status).toBe(204)
  expect((await api.member(`GET ${policies}/${id}`)).status).toBe(404)
})

import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { pino } from 'pino'
import { z } from 'zod'
import { reclaim } from '../../../../agent/reclaim.ts'
import { settings } from '../../../../core/config.ts'
import { setQuota, useOf } from '../../../../db/quotas.ts'
import { finish } from '../../../../db/servers.ts'
import { boot, faultIn, jobsOf, place, startApi, type Answer, type TestApi } from '../../fixture.ts'

let api: TestApi
beforeAll(async () => {
  api = await startApi({ reclaimSeconds: 3600 })
})
afterAll(async () => {
  await api.stop()
})

async function act(id: string, body: unknown): Promise<Answer> {
  return await api.member(`POST /compute/v2.1/servers/${id}/action`, { body })
}

async function standing(): Promise<string> {
  const id = await boot(api)
  await place(api.db, id)
  return id
}

/** What the agent would have done. */
async function softlyDeleted(): Promise<string> {
  const id = await standing()
  expect((await api.member(`DELETE /compute/v2.1/servers/${id}`)).status).toBe(204)
  await finish(api.db, id, 'soft-delete', 'soft-deleting', { powerState: 4, softDeleted: true })
  return id
}

const list = z.object({ servers: z.array(z.object({ id: z.string() })) })
async function listed(query = ''): Promise<readonly string[]> {
  return list.parse((await api.member(`GET /compute/v2.1/servers${query}`)).body).servers.map(({ id }) => id)
}

test('a deleted server is off, out of the list and out of the quota, but shown, and comes back', async () => {
  const before = await useOf(api.db, api.projectId)
  const id = await softlyDeleted()
  expect((await jobsOf(api.db, id)).at(-1)?.taskIdentifier).toBe('host-1/server.soft-delete')
  const shown = await api.member(`GET /compute/v2.1/servers/${id}`)
  expect(shown.body).toMatchObject({ server: { status: 'SOFT_DELETED' } })
  expect(await listed()).not.toContain(id)
  expect(await listed('?status=SOFT_DELETED')).toContain(id)
  expect(await useOf(api.db, api.projectId)).toEqual(before)
  expect((await act(id, { 'os-start': null })).status).toBe(409)

  expect((await api.member(`DELETE /compute/v2.1/servers/${id}`)).status).toBe(204)
  expect(await api.db('servers').where({ id }).first()).toMatchObject({ vmState: 'soft-delete', taskState: null })

  expect((await act(id, { restore: null })).status).toBe(202)
  expect((await jobsOf(api.db, id)).at(-1)?.taskIdentifier).toBe('host-1/server.restore')
  await finish(api.db, id, 'active', 'restoring', { powerState: 1, softDeleted: false })
  expect(await listed()).toContain(id)
  const row = await api.db('servers').where({ id }).first()
  expect(row).toMatchObject({ vmState: 'active', softDeletedAt: null })
  const actions = await api.db('server_actions').where({ serverId: id }).orderBy('id').pluck('action')
  expect(actions).toEqual(['create', 'delete', 'restore'])
})

test('a restore over the quota is forbidden, and the server stays deleted', async () => {
  const id = await softlyDeleted()
  await setQuota(api.db, api.projectId, 'instances', 0)
  try {
    const answer = await act(id, { restore: null })
    expect([answer.status, faultIn(answer)[0]]).toEqual([403, 'forbidden'])
    expect(await api.db('servers').where({ id }).first()).toMatchObject({ vmState: 'soft-delete', taskState: null })
  } finally {
    await setQuota(api.db, api.projectId, 'instances', -1)
  }
})

test('a server that is not deleted is not restored', async () => {
  const id = await standing()
  const answer = await act(id, { restore: null })
  expect([answer.status, faultIn(answer)[1]]).toEqual([
    409,
    `Cannot 'restore' instance ${id} while it is in vm_state active`,
  ])
})

test('forceDelete deletes at once, before or after a soft delete; so does the delete of what never ran', async () => {
  for (const id of [await standing(), await softlyDeleted()]) {
    expect((await act(id, { forceDelete: null })).status).toBe(202)
    expect((await jobsOf(api.db, id)).at(-1)?.taskIdentifier).toBe('host-1/server.delete')
  }
  const unplaced = await boot(api)
  expect((await api.member(`DELETE /compute/v2.1/servers/${unplaced}`)).status).toBe(204)
  expect((await jobsOf(api.db, unplaced)).at(-1)?.taskIdentifier).toBe('server.delete')
})

test('what was deleted long enough ago is reclaimed by its host, and nothing else; without the setting nothing is', async () => {
  const [old, young] = [await softlyDeleted(), await softlyDeleted()]
  await api
    .db('servers')
    .where({ id: old })
    .update({ softDeletedAt: new Date(Date.now() - 7_200_000) })
  const log = pino({ level: 'silent' })
  const of = (reclaimSeconds: number): Parameters<typeof reclaim>[0] => ({
    db: api.db,
    name: 'host-1',
    config: settings.parse({ home: '/nowhere', reclaimSeconds }),
    log,
  })
  await reclaim(of(0))
  expect(await api.db('servers').where({ id: old }).first()).toMatchObject({ taskState: null })
  await reclaim(of(3600))
  expect(await api.db('servers').where({ id: old }).first()).toMatchObject({ taskState: 'deleting' })
  expect((await jobsOf(api.db, old)).at(-1)?.taskIdentifier).toBe('host-1/server.delete')
  expect(await api.db('servers').where({ id: young }).first()).toMatchObject({ taskState: null })
})

/** A task whose job is gone is begun again, or ended with a word about it. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import type { TaskState, VmState } from '../../core/states.ts'
import { insertImage } from '../../db/new-images.ts'
import { lostTasks, takeUp } from '../../jobs/lost.ts'
import { boot, jobsOf, place, startApi, type TestApi } from '../api/fixture.ts'

let api: TestApi
beforeAll(async () => {
  api = await startApi()
})
afterAll(async () => {
  await api.stop()
})

/** A server that has shown this task for long, and that no job is for. */
async function stranded(vmState: VmState, taskState: TaskState, host: string | null = 'host-1'): Promise<string> {
  const id = await boot(api)
  await place(api.db, id, vmState)
  const longAgo = api.db.raw("now() - interval '10 minutes'")
  await api.db('servers').where({ id }).update({ taskState, host, updatedAt: longAgo })
  await api.db.raw(`delete from graphile_worker._private_jobs where payload->>'serverId' = ?`, [id])
  return id
}

async function takenUp(id: string): Promise<string> {
  const task = (await lostTasks(api.db, { graceSeconds: 60 })).find(({ serverId }) => serverId === id)
  if (!task) throw new Error(`the task of server ${id} is not lost`)
  return await api.db.transaction((trx) => takeUp(trx, task))
}

test.each([
  ['building', 'scheduling', null, 'schedule'],
  ['building', 'spawning', 'host-1', 'host-1/server.create'],
  ['stopped', 'powering-on', 'host-1', 'host-1/server.start'],
  ['active', 'resize_prep', 'host-1', 'host-1/server.resize'],
  ['active', 'rescuing', 'host-1', 'host-1/server.rescue'],
  ['rescued', 'unrescuing', 'host-1', 'host-1/server.unrescue'],
  ['shelved', 'unshelving', 'host-1', 'host-1/server.unshelve'],
  ['shelved', 'shelving_offloading', 'host-1', 'host-1/server.shelve-offload'],
  ['shelved_offloaded', 'unshelving', null, 'schedule'],
  ['shelved_offloaded', 'spawning', 'host-1', 'host-1/server.unshelve'],
  ['shelved_offloaded', 'deleting', null, 'server.delete'],
] as const)('a server that is %s, task %s, on host %s has job %s again', async (vmState, taskState, host, job) => {
  const id = await stranded(vmState, taskState, host)
  expect(await takenUp(id)).toBe('begun again')
  expect((await jobsOf(api.db, id)).map(({ taskIdentifier }) => taskIdentifier)).toEqual([job])
})

test('a server whose image was being taken is what it was, and the image is gone', async () => {
  const id = await stranded('stopped', 'image_uploading')
  const image = await insertImage(api.db, { projectId: api.projectId, name: 'shot', serverId: id })
  expect(await takenUp(id)).toBe('ended')
  expect(await api.db('servers').where({ id }).first()).toMatchObject({ vmState: 'stopped', taskState: null })
  expect(await api.db('images').where({ id: image.id }).first()).toMatchObject({ status: 'deleted' })
  expect((await api.db('faults').where({ serverId: id }).first())?.message).toMatch(/image_uploading was lost/)
})

test('what only its job knew ends in error', async () => {
  const id = await stranded('active', 'rebuilding')
  expect(await takenUp(id)).toBe('ended in error')
  expect(await api.db('servers').where({ id }).first()).toMatchObject({ vmState: 'error', taskState: null })
})

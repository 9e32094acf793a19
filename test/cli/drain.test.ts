/** A drain beside other people's work, said to the real API; what agents write stands in the rows. */
import { resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { execa } from 'execa'
import type { TaskState } from '../../core/states.ts'
import { recordMove } from '../../db/moves.ts'
import { findServer } from '../../db/servers.ts'
import { addHost, boot, password, place, startApi, type TestApi } from '../api/fixture.ts'
import { until } from '../world/index.ts'

let api: TestApi
beforeAll(async () => {
  api = await startApi()
})
afterAll(async () => {
  await api.stop()
})

interface Drain {
  readonly said: () => string
  readonly exitCode: Promise<number | undefined>
}

function drain(host: string): Drain {
  const words = ['--disable-warning=ExperimentalWarning', resolve('cli', 'main.ts'), 'host', 'drain', host, '-n', '1']
  const env = {
    OS_AUTH_URL: `${api.url}/identity/v3`,
    OS_USERNAME: 'admin',
    OS_PASSWORD: password,
    OS_PROJECT_NAME: 'admin',
  }
  const settings = { reject: false, all: true, timeout: 120_000, extendEnv: false, env } as const
  const running = execa(process.execPath, words, settings)
  let text = ''
  running.all.on('data', (chunk: Buffer) => (text += chunk.toString()))
  return { said: () => text, exitCode: running.then((ended) => ended.exitCode) }
}

async function untilTask(id: string, taskState: TaskState): Promise<void> {
  const found = async () => (await api.db('servers').where({ id, taskState }).first('id')) !== undefined
  await until(found, { timeoutMs: 60_000, what: `task ${taskState}` })
}

/** A resize that its user has not confirmed yet. */
async function resizeElsewhere(id: string, target: string): Promise<void> {
  const server = await findServer(api.db, id)
  if (!server) throw new Error(`server ${id} is gone`)
  const moving = { ...server, host: 'host-1' }
  await api.db.transaction((trx) => recordMove(trx, moving, { type: 'resize', wish: target, userId: server.userId }))
  await api.db('server_migrations').where({ serverId: id }).update({ status: 'finished' })
  await api.db('servers').where({ id }).update({ host: target, vmState: 'resized', taskState: null })
}

test('a drain waits for what is done to a server, leaves a resize to its user, and stops when its host is enabled', async () => {
  const { db } = api
  await addHost(db, 'host-1')
  await addHost(db, 'host-2')
  const ids = [await boot(api), await boot(api), await boot(api), await boot(api)]
  const [last = '', moved = '', resized = '', deleted = ''] = ids
  for (const id of ids) await place(db, id)
  await db('servers').whereIn('id', ids).update({ taskState: 'rebooting' })
  const draining = drain('host-1')
  await until(() => draining.said().includes('4 to move'), { timeoutMs: 60_000, what: 'the drain' })
  await db('servers').where({ id: deleted }).update({ deletedAt: db.fn.now(), vmState: 'deleted', taskState: null })
  await resizeElsewhere(resized, 'host-2')
  await db('servers').where({ id: moved }).update({ taskState: null })
  await untilTask(moved, 'resize_migrating')
  await db('server_migrations').where({ serverId: moved }).update({ status: 'finished', targetHost: 'host-2' })
  await db('servers').where({ id: moved }).update({ host: 'host-2', vmState: 'resized', taskState: null })
  await untilTask(moved, 'resize_confirming')
  expect((await api.admin('PATCH /berth/v1/hosts/host-1', { body: { state: 'up' } })).status).toBe(200)
  await db('server_migrations').where({ serverId: moved }).update({ status: 'confirmed' })
  await db('servers').where({ id: moved }).update({ vmState: 'active', taskState: null })
  expect(await draining.exitCode).toBe(1)
  expect(draining.said()).toMatch(
    /1\/4 .* was deleted meanwhile\n.*2\/4 .* -> host-2 .*\n.*3\/4 .* -> host-2 .*\nstopped, host-1 was enabled meanwhile: 3 of 4/,
  )
  expect(await db('servers').where({ id: resized }).first('vmState', 'taskState')).toEqual({
    vmState: 'resized',
    taskState: null,
  })
  expect(await db('servers').where({ id: last }).first('host', 'taskState')).toEqual({
    host: 'host-1',
    taskState: 'rebooting',
  })
}, 180_000)

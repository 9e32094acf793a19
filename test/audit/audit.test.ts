/** Drift made by hand on a running cloud is named, and mended where that is safe. */
import { randomUUID } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { execa } from 'execa'
import { connect, type Db } from '../../db/connect.ts'
import { environmentOfService, findings, type Finding } from '../../machine/audit.ts'
import { Bridge } from '../../netns/bridge.ts'
import { ensureNamespace } from '../../netns/namespace.ts'
import { startCloud, until, type TestCloud } from '../world/index.ts'

let cloud: TestCloud
let db: Db
beforeAll(async () => {
  cloud = await startCloud()
  const { DATABASE_URL = '' } = await environmentOfService(cloud.site, 'agent')
  db = connect(DATABASE_URL, { size: 2, name: 'test' })
}, 600_000)
afterAll(async () => {
  await db.destroy()
})

/** Drift is told after one second look: the agent's own half-minute sweep would mend some of it. */
async function look(repair: boolean): Promise<readonly Finding[]> {
  return await findings(cloud.site, { repair, settle: '1' })
}

async function deletedServer(id: string): Promise<void> {
  await db('servers').insert({
    id,
    projectId: 'p',
    userId: 'u',
    name: 'gone',
    hostname: 'gone',
    vmState: 'deleted',
    flavor: { id: '1', name: 'f', vcpus: 1, memoryMiB: 64, diskGiB: 0, extraSpecs: {} },
    imageReference: 'i',
    reservationId: 'r',
    deletedAt: db.fn.now(),
  })
}

/** The scheduler may be placing it: it waits, and then finds nothing. */
async function forget(id: string): Promise<void> {
  await db.transaction(async (trx) => {
    await trx('servers').where({ id }).forUpdate().first('id')
    await trx('allocations').where({ serverId: id }).delete()
    await trx('servers').where({ id }).delete()
  })
}

test('a cloud at rest has no drift', async () => {
  expect(await cloud.audit()).toEqual([])
}, 90_000)

test('the audit of a cloud prints its result and ends with exit code 0', async () => {
  const { layout } = cloud.site
  const { stdout, exitCode } = await execa(join(layout.project, 'berth'), ['audit'], {
    env: { BERTH_HOME: layout.home },
    reject: false,
  })
  expect(stdout).toMatch(/\d+ invariants, no drift/)
  expect(exitCode).toBe(0)
}, 90_000)

test('a place that a deleted server holds is named, and free after a repair', async () => {
  const id = randomUUID()
  await deletedServer(id)
  const [host] = await db('hosts').select('name')
  try {
    await db('allocations').insert({ serverId: id, host: host?.name ?? '', vcpus: 1, memoryMiB: 64, diskGiB: 0 })
    expect(await look(false)).toMatchObject([
      { check: 'claims', text: expect.stringContaining(`${id}: the server is deleted`), isMended: false },
    ])
    expect(await look(true)).toMatchObject([{ check: 'claims', isMended: true }])
    expect(await db('allocations').where({ serverId: id })).toEqual([])
  } finally {
    await forget(id)
  }
}, 90_000)

test('a task without a job is begun again by a repair', async () => {
  const id = randomUUID()
  await deletedServer(id)
  const waiting = { deletedAt: null, vmState: 'building', taskState: 'scheduling' } as const
  try {
    await db('servers')
      .where({ id })
      .update({ ...waiting, updatedAt: db.raw(`now() - interval '30 seconds'`) })
    const text = `server ${id} shows task scheduling, and no job is there to end it`
    expect((await look(true)).find((one) => one.text === text)).toMatchObject({ check: 'tasks', isMended: true })
  } finally {
    await forget(id)
  }
}, 90_000)

test('a job that a dead worker holds is free after a repair', async () => {
  const payload = JSON.stringify({ serverId: randomUUID(), requestId: 'req-1' })
  await db.raw(`select graphile_worker.add_job('server.delete', ?::json, run_at => now() + interval '1 hour')`, [
    payload,
  ])
  try {
    // The scheduler's own sweep, twice a minute, may come first.
    const told = await until(
      async () => {
        await db.raw(
          `update graphile_worker._private_jobs set locked_at = now() - interval '1 hour', locked_by = 'worker-dead' where payload::text = ?`,
          [payload],
        )
        return (await look(true)).find(({ check }) => check === 'jobs')
      },
      { timeoutMs: 60_000, what: 'a dead lock to be told' },
    )
    expect(told).toMatchObject({ text: expect.stringContaining('held by worker-dead, which is dead'), isMended: true })
  } finally {
    await db.raw('delete from graphile_worker._private_jobs where payload::text = ?', [payload])
  }
}, 90_000)

test('a namespace, a switch port and files that no row knows are named and removed', async () => {
  const id = randomUUID()
  const { config, layout } = cloud.site
  await ensureNamespace({ directory: join(layout.run, 'netns'), guestRootUid: 0 }, id)
  await mkdir(join(layout.home, 'guests', id), { recursive: true })
  const { BERTH_OVS_SOCKET = '' } = await environmentOfService(cloud.site, 'agent')
  const bridge = new Bridge(BERTH_OVS_SOCKET, config.bridge, config.namePrefix)
  await bridge.add({ device: 'odd0', vlan: null, internal: { mac: '0a:00:00:00:00:01', mtu: 1500 }, externalIds: {} })
  bridge.close()
  const told = await look(true)
  expect(told.map(({ text, isMended }) => ({ text, isMended }))).toEqual(
    expect.arrayContaining([
      { text: `namespace ${id} is of no server of this host`, isMended: true },
      { text: `${join(layout.home, 'guests', id)} is of no server of this host`, isMended: true },
      { text: "Open vSwitch port odd0 carries our mark, and is neither a guest's nor a gateway", isMended: true },
    ]),
  )
  expect(await look(false)).toEqual([])
}, 90_000)

test('an image that nobody brings its bytes is named, and deleted by a repair', async () => {
  const [id, imageId] = [randomUUID(), randomUUID()]
  await deletedServer(id)
  try {
    await db('images').insert({ id: imageId, name: 'shot', status: 'saving', visibility: 'private', serverId: id })
    expect(await look(false)).toMatchObject([{ check: 'images', text: expect.stringContaining(imageId) }])
    expect(await look(true)).toMatchObject([{ check: 'images', isMended: true }])
    expect(await db('images').where({ id: imageId }).first()).toMatchObject({ status: 'deleted' })
  } finally {
    await db('images').where({ id: imageId }).delete()
    await forget(id)
  }
}, 90_000)

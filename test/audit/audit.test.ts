/** Rows that contradict each other are named, and mended where that is safe. */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { execa } from 'execa'
import { z } from 'zod'
import type { Db } from '../../db/connect.ts'
import { databaseOf } from '../faults/services.ts'
import { User } from '../faults/user.ts'
import { startCloud, type TestCloud } from '../world/index.ts'
import { deletedServer, forget, look, unswept } from './drift.ts'

let cloud: TestCloud
let db: Db
beforeAll(async () => {
  cloud = await startCloud()
  db = await databaseOf(cloud)
}, 600_000)
afterAll(async () => {
  await db.destroy()
})

test('a cloud at rest has no drift', async () => {
  expect(await cloud.audit()).toEqual([])
}, 240_000)

test('the audit of a cloud prints its result and ends with exit code 0', async () => {
  const { layout } = cloud.site
  const { stdout, exitCode } = await execa(join(layout.project, 'berth'), ['audit'], {
    env: { BERTH_HOME: layout.home },
    reject: false,
  })
  expect(stdout).toMatch(/\d+ invariants, no drift/)
  expect(exitCode).toBe(0)
}, 240_000)

test('a place that a deleted server holds is named, and free after a repair', async () => {
  const id = randomUUID()
  await deletedServer(db, id)
  const [host] = await db('hosts').select('name')
  try {
    await db('allocations').insert({ serverId: id, host: host?.name ?? '', vcpus: 1, memoryMiB: 64, diskGiB: 0 })
    expect(await look(cloud, false)).toMatchObject([
      { check: 'claims', text: expect.stringContaining(`${id}: the server is deleted`), isMended: false },
    ])
    expect(await look(cloud, true)).toMatchObject([{ check: 'claims', isMended: true }])
    expect(await db('allocations').where({ serverId: id })).toEqual([])
  } finally {
    await forget(db, id)
  }
}, 240_000)

test('a task without a job is begun again by a repair, and one that lasts too long is named', async () => {
  const [lost, late] = [randomUUID(), randomUUID()]
  for (const id of [lost, late]) await deletedServer(db, id)
  const waiting = { deletedAt: null, vmState: 'building', taskState: 'scheduling' } as const
  const payload = JSON.stringify({ serverId: late, requestId: 'req-1' })
  try {
    await unswept(cloud, db, async () => {
      await db.raw(`select graphile_worker.add_job('nobody', ?::json)`, [payload])
      for (const [id, age] of [
        [lost, '30 seconds'],
        [late, '1 hour'],
      ] as const)
        await db('servers')
          .where({ id })
          .update({ ...waiting, updatedAt: db.raw('now() - ?::interval', [age]) })
      const told = await look(cloud, true)
      expect(told).toContainEqual(
        expect.objectContaining({
          text: `server ${lost} shows task scheduling, and no job is there to end it`,
          isMended: true,
        }),
      )
      expect(told).toContainEqual(
        expect.objectContaining({
          text: `server ${late} shows task scheduling for longer than 120 s`,
          isMended: false,
        }),
      )
    })
  } finally {
    await db.raw('delete from graphile_worker._private_jobs where payload::text = ?', [payload])
    for (const id of [lost, late]) await forget(db, id)
  }
}, 240_000)

test('a job that a dead worker holds is free after a repair, and one that failed too often goes', async () => {
  const [held, spent] = ['req-1', 'req-2'].map((requestId) => JSON.stringify({ serverId: randomUUID(), requestId }))
  const of = (change: string, payload = ''): Promise<unknown> =>
    db.raw(`update graphile_worker._private_jobs set ${change} where payload::text = ?`, [payload])
  try {
    await unswept(cloud, db, async () => {
      for (const payload of [held, spent])
        await db.raw(`select graphile_worker.add_job('server.delete', ?::json, run_at => now() + interval '1 hour')`, [
          payload ?? '',
        ])
      await of(`locked_at = now() - interval '1 hour', locked_by = 'worker-dead'`, held)
      await of(`attempts = max_attempts, last_error = 'too often'`, spent)
      const told = await look(cloud, true)
      expect(told.map(({ check, text, isMended }) => [check, text.replace(/^job \d+ \(.*\) /, ''), isMended])).toEqual(
        expect.arrayContaining([
          ['jobs', 'is held by worker-dead, which is dead', true],
          ['jobs', 'failed too often: too often', true],
        ]),
      )
      expect(await look(cloud, false)).toEqual([])
    })
  } finally {
    for (const payload of [held, spent])
      await db.raw('delete from graphile_worker._private_jobs where payload::text = ?', [payload ?? ''])
  }
}, 240_000)

test('an image that nobody brings its bytes is named, and deleted by a repair', async () => {
  const [id, imageId] = [randomUUID(), randomUUID()]
  await deletedServer(db, id)
  try {
    await db('images').insert({ id: imageId, name: 'shot', status: 'saving', visibility: 'private', serverId: id })
    expect(await look(cloud, false)).toMatchObject([{ check: 'images', text: expect.stringContaining(imageId) }])
    expect(await look(cloud, true)).toMatchObject([{ check: 'images', isMended: true }])
    expect(await db('images').where({ id: imageId }).first()).toMatchObject({ status: 'deleted' })
  } finally {
    await db('images').where({ id: imageId }).delete()
    await forget(db, id)
  }
}, 240_000)

test('an image whose manifest the registry has not is named; a repair leaves it to a person', async () => {
  const [id, digest] = [randomUUID(), `sha256:${'0'.repeat(64)}`]
  const reference = `registry.test/images/${id}@${digest}`
  try {
    await db('images').insert({ id, name: 'lacks', status: 'active', visibility: 'private', reference })
    const drift = {
      check: 'manifests',
      text: expect.stringContaining(`image ${id} (lacks) refers to images/${id}@${digest}`),
    }
    expect(await look(cloud, false)).toMatchObject([drift])
    expect(await look(cloud, true)).toMatchObject([{ ...drift, isMended: false }])
    expect(await db('images').where({ id }).first('status')).toEqual({ status: 'active' })
  } finally {
    await db('images').where({ id }).delete()
  }
}, 240_000)

const made = z.record(z.string(), z.object({ id: z.string() }))

/** A network with one subnet, and a port with that address in it. */
async function portIn(user: User, address: string): Promise<{ readonly networkId: string; readonly portId: string }> {
  const post = async (path: string, word: string, body: object): Promise<string> => {
    const { text } = await user.call('POST', `/networking/v2.0/${path}`, { body: { [word]: body } })
    return made.parse(JSON.parse(text))[word]?.id ?? ''
  }
  const networkId = await post('networks', 'network', { name: 'drift' })
  await post('subnets', 'subnet', { network_id: networkId, cidr: '10.9.0.0/24', ip_version: 4 })
  return {
    networkId,
    portId: await post('ports', 'port', { network_id: networkId, fixed_ips: [{ ip_address: address }] }),
  }
}

test('one address on two ports, and an address of a port in another network, are named; the wrong one is given back', async () => {
  const user = await User.of(cloud)
  const [first, second] = [await portIn(user, '10.9.0.50'), await portIn(user, '10.9.0.50')]
  const both = [first.portId, second.portId].toSorted().join(' and ')
  try {
    await db('subnets').where({ networkId: second.networkId }).update({ networkId: first.networkId })
    const told = await look(cloud, true)
    expect(told.map(({ text, isMended }) => ({ text, isMended }))).toEqual([
      { text: `address 10.9.0.50 of network ${first.networkId} is on ports ${both}`, isMended: false },
      { text: expect.stringContaining(`port ${second.portId}: the port is in another network`), isMended: true },
    ])
    expect(await look(cloud, false)).toEqual([])
  } finally {
    for (const { portId } of [first, second]) await user.call('DELETE', `/networking/v2.0/ports/${portId}`)
    for (const { networkId } of [first, second]) await user.call('DELETE', `/networking/v2.0/networks/${networkId}`)
  }
}, 240_000)

test('a port of a deleted server, an event that never ended and a request of which nothing came are named', async () => {
  const user = await User.of(cloud)
  const [id, other] = [randomUUID(), randomUUID()]
  const { networkId, portId } = await portIn(user, '10.9.0.60')
  for (const one of [id, other]) await deletedServer(db, one)
  const action = { userId: 'u', projectId: 'p', action: 'stop', startedAt: db.raw(`now() - interval '1 hour'`) }
  try {
    await db('ports').where({ id: portId }).update({ serverId: id })
    await db('servers').where({ id: other }).update({ deletedAt: null, vmState: 'stopped' })
    await db('server_actions').insert({ ...action, serverId: other, requestId: 'req-silent' })
    const [open] = await db('server_actions')
      .insert({ ...action, serverId: id, requestId: 'req-open' })
      .returning('id')
    await db('server_action_events').insert({ actionId: open?.id ?? 0, event: 'compute_stop_instance', host: null })
    const told = (await look(cloud, true)).map(({ text, isMended }) => [text.replace(/^event \d+ /, ''), isMended])
    expect(told).toEqual(
      expect.arrayContaining([
        [`port ${portId} is bound to server ${id}: the server is deleted`, false],
        [`(compute_stop_instance of req-open, server ${id}) began and never ended`, true],
        [`request req-silent (stop of server ${other}) was acknowledged, and nothing came of it`, false],
      ]),
    )
  } finally {
    await db('ports').where({ id: portId }).update({ serverId: null })
    await user.call('DELETE', `/networking/v2.0/ports/${portId}`)
    await user.call('DELETE', `/networking/v2.0/networks/${networkId}`)
    for (const one of [id, other]) await forget(db, one)
  }
  expect(await look(cloud, false)).toEqual([])
}, 240_000)

test('a host whose agent is silent is named, and one that is switched off is not', async () => {
  const hour = `now() - interval '1 hour'`
  const columns = 'vcpus, memory_mib, disk_gib, cpu_ratio, memory_ratio, disk_ratio, reserved_memory_mib'
  const kind = 'hypervisor_type, hypervisor_version'
  try {
    await db.raw(
      `insert into hosts (name, id, heartbeat_at, ${columns}, ${kind}) select 'silent', ?, ${hour}, ${columns}, ${kind} from hosts limit 1`,
      [randomUUID()],
    )
    expect(await look(cloud, true)).toMatchObject([
      {
        check: 'hosts',
        text: expect.stringContaining('host silent: its agent has been silent since'),
        isMended: false,
      },
    ])
    await db('hosts').where({ name: 'silent' }).update({ isEnabled: false })
    expect(await look(cloud, false)).toEqual([])
  } finally {
    await db('hosts').where({ name: 'silent' }).delete()
  }
}, 240_000)

/** The last place of a host goes to one of many, and what a host has promised is always the sum of its claims. */
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { Superseded } from '../../core/errors.ts'
import { connect, type Db } from '../../db/connect.ts'
import { mendBooks, wrongBooks } from '../../db/drift.ts'
import { claim, releaseClaim, widenClaim } from '../../db/hosts.ts'
import { place, placeTogether, type Placing } from '../../db/placement.ts'
import { Crowd } from '../../scheduler/crowd.ts'
import { addHost, boot, startApi, type TestApi } from '../api/fixture.ts'

/** Of host-1: 8192 MiB less 512 MiB kept back. */
const room = 7680
const rivals = 50

let api: TestApi
let pools: readonly Db[]
const servers: string[] = []
beforeAll(async () => {
  api = await startApi()
  await addHost(api.db, 'host-1')
  pools = [1, 2].map((number) => connect(api.databaseUrl, { size: 25, name: `scheduler ${number}` }))
  for (let index = 0; index < rivals; index += 1) servers.push(await boot(api))
}, 60_000)
beforeEach(async () => {
  await api.db('allocations').delete()
})
afterAll(async () => {
  for (const pool of pools) await pool.destroy()
  await api.stop()
})

function wanted(serverId: string, memoryMiB: number) {
  return { serverId, host: 'host-1', vcpus: 0, memoryMiB, diskGiB: 0 }
}

async function promised(): Promise<unknown> {
  return await api.db('hosts').where({ name: 'host-1' }).first('usedVcpus', 'usedMemoryMiB', 'usedDiskGiB', 'servers')
}

/** Each in a transaction of its own, all at once, over the connections of two schedulers. */
async function all(memoryMiB: number): Promise<number> {
  const taken = await Promise.all(
    servers.map((serverId, index) => {
      const pool = pools[index % 2]
      if (!pool) throw new Error('no pool')
      return pool.transaction((trx) => claim(trx, wanted(serverId, memoryMiB)))
    }),
  )
  return taken.filter(Boolean).length
}

test('of 50 claims at once of the last place one is promised', async () => {
  expect(await all(room)).toBe(1)
  expect(await promised()).toMatchObject({ usedMemoryMiB: room, servers: 1 })
})

test('50 claims at once fill a host to its last place, and no further', async () => {
  expect(await all(500)).toBe(15)
  expect(await promised()).toMatchObject({ usedMemoryMiB: 7500, servers: 15 })
  expect(await api.db('allocations').count()).toEqual([{ count: 15 }])
})

function placing(serverId: string, host: string, memoryMiB: number): Placing {
  const payload = { serverId, requestId: 'req-1', adminPassword: null }
  return { ...wanted(serverId, memoryMiB), host, task: `${host}/server.create`, payload }
}

async function takeBack(): Promise<void> {
  await api.db('allocations').delete()
  await api.db('ports').update({ host: null, status: 'DOWN' })
  await api.db('servers').update({ host: null, taskState: 'scheduling' })
  await api.db.raw('delete from graphile_worker._private_jobs')
}

test.each([
  ['each for itself', (pool: Db) => (wish: Placing) => place(pool, wish)],
  [
    'by two crowds',
    (pool: Db) => {
      const crowd = new Crowd(pool)
      return (wish: Placing) => crowd.place(wish)
    },
  ],
])('servers that are placed on one host at once, %s, all get the places that there are', async (_how, by) => {
  const ways = pools.map(by)
  const placed = await Promise.all(
    servers.map(async (serverId, index) => await ways[index % 2]?.(placing(serverId, 'host-1', 500))),
  )
  expect(placed.filter(Boolean)).toHaveLength(15)
  expect(await promised()).toMatchObject({ usedMemoryMiB: 7500, servers: 15 })
  expect(await api.db('servers').where({ host: 'host-1', taskState: 'spawning' })).toHaveLength(15)
  expect(await api.db('ports').where({ host: 'host-1', status: 'BUILD' })).toHaveLength(15)
  await takeBack()
})

test('servers that are placed together have their places and jobs, but for those that must be asked for alone', async () => {
  const [first = '', second = '', third = '', fourth = '', fifth = ''] = servers
  for (const host of ['host-2', 'host-3', 'host-4']) await addHost(api.db, host)
  await api.db('hosts').where({ name: 'host-3' }).update({ isEnabled: false })
  await api.db('servers').where({ id: fifth }).update({ taskState: 'deleting' })
  const wishes = [
    placing(first, 'host-1', 100),
    placing(second, 'host-2', 100),
    // A second one for a host, one for a host that takes none, and a server that waits no more.
    placing(third, 'host-2', 100),
    placing(fourth, 'host-3', 100),
    placing(fifth, 'host-4', 100),
  ]
  const placed = await placeTogether(api.db, wishes)
  expect([...placed]).toEqual(wishes.slice(0, 2))
  const { rows } = await api.db.raw<{ rows: { host: string; serverId: string }[] }>(
    `select s.host, j.payload->>'serverId' as server_id from servers s join allocations a on a.server_id = s.id and a.host = s.host
     join graphile_worker._private_jobs j on j.payload->>'serverId' = s.id::text
     join graphile_worker._private_tasks t on t.id = j.task_id and t.identifier = s.host || '/server.create'
     where s.id = any(?::uuid[]) and s.task_state = 'spawning' order by s.host`,
    [[first, second]],
  )
  expect(rows).toEqual([
    { host: 'host-1', serverId: first },
    { host: 'host-2', serverId: second },
  ])
  const crowd = new Crowd(api.db)
  expect(
    await Promise.all([crowd.place(placing(third, 'host-2', 100)), crowd.place(placing(fourth, 'host-3', 1))]),
  ).toEqual([true, false])
  await expect(crowd.place(placing(fifth, 'host-4', 100))).rejects.toThrow(Superseded)
  await takeBack()
})

test('a host whose row somebody holds keeps nobody waiting but the server that goes there', async () => {
  const [first = '', second = ''] = servers
  const crowd = new Crowd(api.db)
  const holding = await api.db.transaction()
  await holding('hosts').where({ name: 'host-1' }).forUpdate().select('name')
  const late = crowd.place(placing(first, 'host-1', 100))
  expect(await crowd.place(placing(second, 'host-2', 100))).toBe(true)
  expect(await api.db('allocations').where({ serverId: first })).toEqual([])
  await holding.rollback()
  expect(await late).toBe(true)
  await takeBack()
})

test('a host that takes no servers, was declared down, or tells of trouble, promises nothing', async () => {
  for (const change of [{ isEnabled: false }, { isForcedDown: true }, { problem: 'Docker does not answer' }]) {
    await api.db('hosts').where({ name: 'host-1' }).update(change)
    expect(await all(1)).toBe(0)
    await api.db('hosts').where({ name: 'host-1' }).update({ isEnabled: true, isForcedDown: false, problem: null })
  }
})

test('what a host has promised is the sum of its claims, also after they grow, go, or are rolled back', async () => {
  const [first = '', second = ''] = servers
  await api.db.transaction((trx) => claim(trx, wanted(first, 1000)))
  await api.db.transaction((trx) => claim(trx, wanted(second, 2000)))
  expect(await api.db.transaction((trx) => widenClaim(trx, { ...wanted(first, 5680), vcpus: 2, diskGiB: 7 }))).toBe(
    true,
  )
  expect(await api.db.transaction((trx) => widenClaim(trx, wanted(first, 5681)))).toBe(false)
  expect(await promised()).toEqual({ usedVcpus: 2, usedMemoryMiB: room, usedDiskGiB: 7, servers: 2 })
  await releaseClaim(api.db, first, 'host-1')
  await expect(
    api.db.transaction(async (trx) => {
      await claim(trx, wanted(first, 100))
      throw new Error('rolled back')
    }),
  ).rejects.toThrow('rolled back')
  expect(await promised()).toEqual({ usedVcpus: 0, usedMemoryMiB: 2000, usedDiskGiB: 0, servers: 1 })
})

test('books that are wrong are found, and written anew', async () => {
  await api.db.transaction((trx) => claim(trx, wanted(servers[0] ?? '', 1000)))
  expect(await wrongBooks(api.db)).toEqual([])
  await api.db('hosts').where({ name: 'host-1' }).update({ usedMemoryMiB: 1 })
  expect(await wrongBooks(api.db)).toEqual(['host-1'])
  await mendBooks(api.db, 'host-1')
  expect(await wrongBooks(api.db)).toEqual([])
  expect(await promised()).toMatchObject({ usedMemoryMiB: 1000, servers: 1 })
})

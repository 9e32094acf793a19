/** The last place of a host goes to one of many, and what a host has promised is always the sum of its claims. */
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { connect, type Db } from '../../db/connect.ts'
import { mendBooks, wrongBooks } from '../../db/drift.ts'
import { claim, releaseClaim, widenClaim } from '../../db/hosts.ts'
import { place } from '../../db/placement.ts'
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

test('servers that are placed on a host at once, one waiting for the row of the other, all get the places that there are', async () => {
  const placed = await Promise.all(
    servers.map((serverId, index) => {
      const pool = pools[index % 2]
      if (!pool) throw new Error('no pool')
      const payload = { serverId, requestId: 'req-1', adminPassword: null }
      return place(pool, { ...wanted(serverId, 500), task: 'host-1/server.create', payload })
    }),
  )
  expect(placed.filter(Boolean)).toHaveLength(15)
  expect(await promised()).toMatchObject({ usedMemoryMiB: 7500, servers: 15 })
  expect(await api.db('servers').where({ host: 'host-1', taskState: 'spawning' })).toHaveLength(15)
  expect(await api.db('ports').where({ host: 'host-1', status: 'BUILD' })).toHaveLength(15)
  await api.db('servers').update({ host: null, taskState: 'scheduling' })
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

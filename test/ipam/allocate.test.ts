import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { AddressInUse, Invalid, SubnetFull } from '../../core/errors.ts'
import { allocateNamed } from '../../ipam/allocate-named.ts'
import { allocate } from '../../ipam/allocate.ts'
import { release } from '../../ipam/release.ts'
import { freshDatabase, type TestDatabase } from '../world/index.ts'
import { newPool, newPort, type Pool } from './pool.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(async () => {
  await database.drop()
})

async function take(pool: Pool): Promise<{ readonly address: string; readonly portId: string }> {
  return await database.db.transaction(async (trx) => {
    const portId = await newPort(trx, pool)
    return { portId, address: await allocate(trx, pool, portId) }
  })
}

async function takeNamed(pool: Pool, address: string): Promise<string> {
  return await database.db.transaction(async (trx) => await allocateNamed(trx, pool, address, await newPort(trx, pool)))
}

async function give(portId: string): Promise<void> {
  await database.db.transaction(async (trx) => {
    await release(trx, portId)
  })
}

test('addresses come lowest first, without network, broadcast and gateway', async () => {
  const pool = await newPool(database.db, '10.1.0.0/29', { gateway: '10.1.0.1' })
  const taken = [await take(pool), await take(pool), await take(pool), await take(pool), await take(pool)]
  expect(taken.map(({ address }) => address)).toEqual(['10.1.0.2', '10.1.0.3', '10.1.0.4', '10.1.0.5', '10.1.0.6'])
  await expect(take(pool)).rejects.toThrow(SubnetFull)
})

test('when all were used, the one freed longest ago comes first', async () => {
  const pool = await newPool(database.db, '10.2.0.0/29')
  const taken = []
  for (let i = 0; i < 6; i += 1) taken.push(await take(pool))
  for (const i of [4, 1, 3]) await give(taken[i]?.portId ?? '')
  expect((await take(pool)).address).toBe(taken[4]?.address)
  expect((await take(pool)).address).toBe(taken[1]?.address)
})

test('a freed address rests while others are to be had, and the message counts the resting ones', async () => {
  const pool = await newPool(database.db, '10.3.0.0/30', { quarantineSeconds: 600 })
  const { portId } = await take(pool)
  await give(portId)
  await take(pool)
  await expect(take(pool)).rejects.toThrow(/1 used, 0 reserved, 1 in quarantine/)
})

test('a transaction that is rolled back loses no address', async () => {
  const pool = await newPool(database.db, '10.4.0.0/29')
  for (let i = 0; i < 10; i += 1) {
    const failing = database.db.transaction(async (trx) => {
      await allocate(trx, pool, await newPort(trx, pool))
      throw new Error('changed my mind')
    })
    await expect(failing).rejects.toThrow('changed my mind')
  }
  const all = new Set<string>()
  for (let i = 0; i < 6; i += 1) all.add((await take(pool)).address)
  expect(all.size).toBe(6)
})

test('an address that was asked for by name is not handed out again', async () => {
  const pool = await newPool(database.db, '10.5.0.0/29')
  expect(await takeNamed(pool, '10.5.0.1')).toBe('10.5.0.1')
  await expect(takeNamed(pool, '10.5.0.1')).rejects.toThrow(AddressInUse)
  expect((await take(pool)).address).toBe('10.5.0.2')
})

test.each([
  ['10.6.1.4', /not a valid IP for the specified subnet/],
  ['10.6.0.0', /network or broadcast/],
  ['10.6.0.255', /network or broadcast/],
  ['10.6.0.1', /gateway/],
  ['10.6.0.300', /not valid/],
  ['fd00::4', /not a valid IP for the specified subnet/],
])('the name %s is refused with its reason', async (address, reason) => {
  const pool = await newPool(database.db, '10.6.0.0/24', { gateway: '10.6.0.1' })
  await expect(takeNamed(pool, address)).rejects.toThrow(reason)
  await expect(takeNamed(pool, address)).rejects.toThrow(Invalid)
})

test('an IPv6 /64 is not written out', async () => {
  const pool = await newPool(database.db, 'fd00:6::/64', { gateway: 'fd00:6::1' })
  expect((await take(pool)).address).toBe('fd00:6::2')
  expect(await takeNamed(pool, 'fd00:6::3')).toBe('fd00:6::3')
  expect((await take(pool)).address).toBe('fd00:6::4')
})

test('50 callers at once take a whole /24, each another one, and the next is told that it is full', async () => {
  const pool = await newPool(database.db, '10.7.0.0/24', { gateway: '10.7.0.1' })
  const all: string[] = []
  const worker = async (): Promise<void> => {
    for (;;) {
      try {
        all.push((await take(pool)).address)
      } catch (error) {
        if (error instanceof SubnetFull) return
        throw error
      }
    }
  }
  await Promise.all(Array.from({ length: 50 }, worker))
  expect(all.length).toBe(253)
  expect(new Set(all).size).toBe(253)
})

test('takers, givers and rollbacks at once never get the same address twice, and end with a whole pool', async () => {
  const pool = await newPool(database.db, '10.8.0.0/26')
  const held = new Map<string, string>()
  const worker = async (seed: number): Promise<void> => {
    for (let i = 0; i < 30; i += 1) {
      try {
        const { address, portId } = await take(pool)
        expect(held.has(address)).toBe(false)
        held.set(address, portId)
        if ((i + seed) % 3 === 0) continue
        held.delete(address)
        await give(portId)
      } catch (error) {
        if (!(error instanceof SubnetFull)) throw error
        const [oldest] = held
        if (!oldest) continue
        held.delete(oldest[0])
        await give(oldest[1])
      }
    }
  }
  await Promise.all(Array.from({ length: 10 }, (_, seed) => worker(seed)))
  const rows = await database.db('addresses').where({ subnetId: pool.id, state: 'used' })
  expect(rows.length).toBe(held.size)
  for (const portId of held.values()) await give(portId)
  for (let i = 0; i < 62; i += 1) await take(pool)
  await expect(take(pool)).rejects.toThrow(SubnetFull)
})

import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { randomUUID } from 'node:crypto'
import { AddressInUse, Conflict, Invalid, NotFound, SubnetFull } from '../../core/errors.ts'
import { allocate } from '../../ipam/allocate.ts'
import { allocateNamed } from '../../ipam/allocate-named.ts'
import { find } from '../../ipam/find.ts'
import { getPool } from '../../ipam/pools.ts'
import { changeRanges, rangesOf, without, withRange } from '../../ipam/ranges.ts'
import { release } from '../../ipam/release.ts'
import { free, moveReservation, reserve, unassign } from '../../ipam/reserve.ts'
import { freshDatabase, type TestDatabase } from '../world/index.ts'
import { newPool, newPort, type Pool } from './pool.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(async () => {
  await database.drop()
})

async function take(pool: Pool, name: string | null = null): Promise<{ address: string; portId: string }> {
  return await database.db.transaction(async (trx) => {
    const portId = await newPort(trx, pool)
    return { portId, address: await allocate(trx, pool, portId, name) }
  })
}

async function hold(pool: Pool, name: string | null, address: string | null = null): Promise<string> {
  return await database.db.transaction((trx) => reserve(trx, pool, { address, name, note: 'rack 7' }))
}

async function give(portId: string): Promise<void> {
  await database.db.transaction(async (trx) => {
    await release(trx, portId)
    await trx('ports').where({ id: portId }).delete()
  })
}

test('an address reserved for a name is that name’s, now and each time it comes again', async () => {
  const pool = await newPool(database.db, '10.20.0.0/29', { quarantineSeconds: 3600 })
  expect(await hold(pool, 'web-1', '10.20.0.3')).toBe('10.20.0.3')
  expect([(await take(pool)).address, (await take(pool)).address]).toEqual(['10.20.0.1', '10.20.0.2'])
  for (let life = 0; life < 3; life += 1) {
    const { address, portId } = await take(pool, 'web-1')
    expect(address).toBe('10.20.0.3')
    await give(portId)
  }
  expect((await take(pool, 'another')).address).toBe('10.20.0.4')
})

test('the next free address can be reserved, one for each name', async () => {
  const pool = await newPool(database.db, '10.21.0.0/29')
  expect(await hold(pool, 'web-1')).toBe('10.21.0.1')
  await expect(hold(pool, 'web-1')).rejects.toThrow(Conflict)
  expect(await hold(pool, null)).toBe('10.21.0.2')
  expect(await hold(pool, null)).toBe('10.21.0.3')
})

test('a reserved address is named by nobody but its server', async () => {
  const pool = await newPool(database.db, '10.22.0.0/29')
  await hold(pool, 'db-1', '10.22.0.5')
  const named = async (name: string | null): Promise<string> =>
    await database.db.transaction(async (trx) => allocateNamed(trx, pool, '10.22.0.5', await newPort(trx, pool), name))
  await expect(named(null)).rejects.toThrow(AddressInUse)
  await expect(named('web-1')).rejects.toThrow(AddressInUse)
  expect(await named('db-1')).toBe('10.22.0.5')
  await expect(hold(pool, 'web-1', '10.22.0.5')).rejects.toThrow(AddressInUse)
  await expect(hold(pool, 'web-1', '10.23.0.5')).rejects.toThrow(Invalid)
})

test('unassign keeps a reservation, free gives it up, and neither takes what is not held', async () => {
  const pool = await newPool(database.db, '10.24.0.0/29')
  await hold(pool, 'web-1', '10.24.0.2')
  const { address } = await take(pool, 'web-1')
  await database.db.transaction((trx) => unassign(trx, pool, address))
  expect(await find(database.db, { address })).toMatchObject([
    { state: 'reserved', reservedFor: 'web-1', note: 'rack 7' },
    { state: 'past' },
  ])
  await database.db.transaction((trx) => free(trx, pool, address))
  expect((await find(database.db, { address })).map(({ state }) => state)).toEqual(['past'])
  await expect(database.db.transaction((trx) => free(trx, pool, address))).rejects.toThrow(NotFound)
})

test('an address that rests is told, with the time at which it may be handed out again', async () => {
  const pool = await newPool(database.db, '10.24.1.0/29', { quarantineSeconds: 300 })
  const { address, portId } = await take(pool)
  await database.db.transaction((trx) => release(trx, portId))
  const [resting, past] = await find(database.db, { address })
  expect([resting?.state, past?.state]).toEqual(['quarantined', 'past'])
  expect(Number(resting?.until) - Number(resting?.since)).toBe(300_000)
})

test('an address in use by a server is not freed under it', async () => {
  const { db } = database
  const pool = await newPool(db, '10.25.0.0/29')
  const { address, portId } = await take(pool)
  const serverId = randomUUID()
  await db('servers').insert({
    id: serverId,
    projectId: 'p',
    userId: 'u',
    name: 'quay',
    hostname: 'quay',
    vmState: 'active',
    flavor: { id: '1', name: 'm1.tiny', vcpus: 1, memoryMiB: 512, diskGiB: 0, extraSpecs: {} },
    imageReference: '',
    reservationId: 'r',
  })
  await db('ports').where({ id: portId }).update({ serverId })
  await expect(db.transaction((trx) => free(trx, pool, address))).rejects.toThrow(new RegExp(serverId))
  expect(await find(db, { serverId })).toMatchObject([{ address, name: 'quay', state: 'used', until: null }])
  await db.transaction((trx) => release(trx, portId))
  const [past] = await find(db, { name: 'quay' })
  expect(past).toMatchObject({ address, serverId, state: 'past' })
  expect(past?.until).toBeInstanceOf(Date)
})

test('a reservation moves to another name', async () => {
  const pool = await newPool(database.db, '10.26.0.0/29')
  await hold(pool, 'old', '10.26.0.4')
  await database.db.transaction((trx) => moveReservation(trx, pool, { address: '10.26.0.4', name: 'new' }))
  expect((await take(pool, 'old')).address).toBe('10.26.0.1')
  expect((await take(pool, 'new')).address).toBe('10.26.0.4')
})

test('a range in use shrinks and grows: nothing is taken away, nothing outside is handed out', async () => {
  const { db } = database
  const pool = await newPool(db, '10.27.0.0/28')
  const early = [await take(pool), await take(pool), await take(pool)]
  expect(early.map(({ address }) => address)).toEqual(['10.27.0.1', '10.27.0.2', '10.27.0.3'])
  const change = async (ranges: Parameters<typeof changeRanges>[2]): Promise<void> =>
    await db.transaction((trx) => changeRanges(trx, pool, ranges))
  await change(without(await rangesOf(db, pool.id), { first: '10.27.0.2', last: '10.27.0.5' }))
  expect(await rangesOf(db, pool.id)).toEqual([
    { first: '10.27.0.1', last: '10.27.0.1' },
    { first: '10.27.0.6', last: '10.27.0.14' },
  ])
  await give(early[1]?.portId ?? '')
  expect((await take(pool)).address).toBe('10.27.0.6')
  await change(withRange(await rangesOf(db, pool.id), { first: '10.27.0.2', last: '10.27.0.4' }))
  const rest: string[] = []
  for (;;) {
    try {
      rest.push((await take(pool)).address)
    } catch (error) {
      expect(error).toBeInstanceOf(SubnetFull)
      break
    }
  }
  expect(rest.toSorted()).toEqual(
    ['10.27.0.2', '10.27.0.4', ...[7, 8, 9, 10, 11, 12, 13, 14].map((last) => `10.27.0.${last}`)].toSorted(),
  )
})

test('a pool tells how full it is, and when that is a warning', async () => {
  const { db } = database
  const pool = await newPool(db, '10.28.0.0/29', { quarantineSeconds: 3600 })
  await hold(pool, 'web-1')
  await take(pool)
  await give((await take(pool)).portId)
  const ask = async () => (await getPool(db, pool.networkId)).subnets[0]
  expect(await ask()).toMatchObject({ size: 6n, used: 1, reserved: 1, quarantined: 1, free: 3n, level: 'ok' })
  await take(pool)
  await take(pool)
  expect(await ask()).toMatchObject({ free: 1n, level: 'warning' })
  await take(pool)
  expect(await ask()).toMatchObject({ free: 0n, level: 'full' })
})

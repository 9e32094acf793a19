/**
 * Addresses per second at 1, 8 and 32 clients, beside bare INSERTs of one row in the same run: taken out of a pool that nobody used yet, taken
 * and given back in pairs (two transactions), and both out of a pool of which nine in ten are held; usage: ipam [seconds]
 */
import { randomUUID } from 'node:crypto'
import { connect, type Db, type Transaction } from '../db/connect.ts'
import { migrate } from '../db/migrate.ts'
import { allocate } from '../ipam/allocate.ts'
import { newMac } from '../ipam/mac.ts'
import { createRanges } from '../ipam/ranges.ts'
import { release } from '../ipam/release.ts'
import { median, print } from './measure/figures.ts'
import { databaseUrl } from './measure/site.ts'

const rounds = 3
const mostClients = 32
const seconds = Number(process.argv[2] ?? 3)
const database = 'berth_bench_ipam'

interface Pool {
  readonly id: string
  /** two for each client: one that keeps what it took, one whose pairs give it back */
  readonly portIds: readonly string[]
}

/** How often a second `clients` do `work`, each again and again. */
async function rate(clients: number, work: (client: number) => Promise<unknown>): Promise<number> {
  const until = performance.now() + seconds * 1000
  let done = 0
  const loop = async (client: number): Promise<void> => {
    while (performance.now() < until) {
      await work(client)
      done += 1
    }
  }
  await Promise.all(Array.from({ length: clients }, (_, client) => loop(client)))
  return done / seconds
}

async function newPool(db: Db, cidr: string): Promise<Pool> {
  const [networkId, id] = [randomUUID(), randomUUID()]
  const portIds = Array.from({ length: mostClients * 2 }, () => randomUUID())
  await db('networks').insert({ id: networkId, projectId: 'bench', name: cidr, mtu: 1500 })
  await db('subnets').insert({ id, networkId, projectId: 'bench', name: cidr, cidr, quarantineSeconds: 0 })
  await db('ports').insert(portIds.map((portId) => ({ id: portId, networkId, projectId: 'bench', mac: newMac() })))
  await db.transaction((trx) => createRanges(trx, { id, cidr, gateway: null }, null))
  return { id, portIds }
}

/** Of a /16 all are handed out, and one in ten is given back again. */
async function nearlyFull(db: Db): Promise<Pool> {
  const pool = await newPool(db, '10.200.0.0/16')
  const [portId = ''] = (await newPool(db, '10.201.0.0/30')).portIds
  for (let i = 0; i < 1024; i += 1)
    await db.raw('select count(allocate_address(?, ?)) from generate_series(1, 64)', [pool.id, portId])
  await db.raw(
    `update addresses set state = 'free', port_id = null, freed_at = clock_timestamp()
     where subnet_id = ? and state = 'used' and (address - inet '10.200.0.0') % 10 = 0`,
    [pool.id],
  )
  await db.raw('vacuum analyze addresses')
  return pool
}

function take(db: Db, { id }: Pool, portId: string): Promise<string> {
  return db.transaction((trx) => allocate(trx, { id }, portId))
}

async function pair(db: Db, pool: Pool, client: number): Promise<void> {
  const portId = pool.portIds[client] ?? ''
  await take(db, pool, portId)
  await db.transaction((trx) => release(trx, portId))
}

async function floorOf(db: Db, clients: number, pool: Pool): Promise<number> {
  const bare = async (trx: Transaction): Promise<void> => {
    const words = `insert into floor values (?, '10.0.0.0'::inet + nextval('floor_next'), 'used', ?)`
    await trx.raw(words, [pool.id, pool.portIds[0] ?? ''])
  }
  return await rate(clients, () => db.transaction(bare))
}

async function prepare(db: Db): Promise<{ readonly empty: Pool; readonly full: Pool }> {
  await migrate(db)
  await db.raw(
    'create table floor (subnet_id uuid, address inet, state text, port_id uuid, primary key (subnet_id, address))',
  )
  await db.raw('create sequence floor_next')
  return { empty: await newPool(db, '10.0.0.0/8'), full: await nearlyFull(db) }
}

/** Rates and what each is of the floor of its round; a pair is two transactions, so its floor is half of it. */
async function measure(db: Db, clients: number, { empty, full }: { empty: Pool; full: Pool }): Promise<void> {
  const kinds = {
    take: (client: number) => take(db, empty, empty.portIds[client + mostClients] ?? ''),
    pair: (client: number) => pair(db, empty, client),
    pair_90_percent_full: (client: number) => pair(db, full, client),
  }
  const [rates, ratios] = [new Map<string, number[]>(), new Map<string, number[]>()]
  for (let round = 0; round < rounds; round += 1) {
    const floor = await floorOf(db, clients, empty)
    for (const [name, work] of [['floor', null], ...Object.entries(kinds)] as const) {
      const found = work === null ? floor : await rate(clients, work)
      rates.set(name, [...(rates.get(name) ?? []), found])
      ratios.set(name, [...(ratios.get(name) ?? []), found / (name.startsWith('pair') ? floor / 2 : floor)])
    }
  }
  for (const [name, found] of rates)
    print({
      [`clients_${clients}_${name}_per_second`]: median(found),
      ...(name === 'floor' ? {} : { [`clients_${clients}_${name}_ratio`]: median(ratios.get(name) ?? []) }),
    })
}

const admin = connect(await databaseUrl('postgres'), { size: 1, name: 'bench' })
await admin.raw('drop database if exists ?? with (force)', [database])
await admin.raw('create database ??', [database])
const db = connect(await databaseUrl(database), { size: mostClients, name: 'bench' })
try {
  const pools = await prepare(db)
  for (const clients of [1, 8, mostClients]) await measure(db, clients, pools)
} finally {
  await db.destroy()
  await admin.raw('drop database if exists ?? with (force)', [database])
  await admin.destroy()
}

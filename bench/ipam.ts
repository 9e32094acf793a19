/** Addresses allocated per second at 1, 8 and 32 clients, beside bare INSERTs of one row; usage: ipam [seconds] */
import { randomUUID } from 'node:crypto'
import { connect, type Db } from '../db/connect.ts'
import { migrate } from '../db/migrate.ts'
import { allocate } from '../ipam/allocate.ts'
import { createRanges } from '../ipam/ranges.ts'
import { median, print } from './figures.ts'
import { databaseUrl } from './site.ts'

const rounds = 3
const seconds = Number(process.argv[2] ?? 3)
const database = 'berth_bench_ipam'

/** Transactions per second of `clients` that each do `work` again and again. */
async function rate(
  db: Db,
  clients: number,
  work: (trx: Parameters<typeof allocate>[0]) => Promise<unknown>,
): Promise<number> {
  const until = performance.now() + seconds * 1000
  let done = 0
  const client = async (): Promise<void> => {
    while (performance.now() < until) {
      await db.transaction(async (trx) => {
        await work(trx)
      })
      done += 1
    }
  }
  await Promise.all(Array.from({ length: clients }, client))
  return done / seconds
}

async function prepare(db: Db): Promise<{ readonly id: string; readonly portId: string }> {
  await migrate(db)
  await db.raw(
    'create table floor (subnet_id uuid, address inet, state text, port_id uuid, primary key (subnet_id, address))',
  )
  await db.raw('create sequence floor_next')
  const [networkId, id, portId] = [randomUUID(), randomUUID(), randomUUID()]
  await db('networks').insert({ id: networkId, projectId: 'bench', name: 'bench', mtu: 1500 })
  await db('subnets').insert({ id, networkId, projectId: 'bench', name: 'bench', cidr: '10.0.0.0/8' })
  await db('ports').insert({ id: portId, networkId, projectId: 'bench', mac: 'fa:16:3e:00:00:01' })
  await db.transaction(async (trx) => {
    await createRanges(trx, { id, cidr: '10.0.0.0/8', gateway: null }, null)
  })
  return { id, portId }
}

const admin = connect(await databaseUrl('postgres'), { size: 1, name: 'bench' })
await admin.raw('drop database if exists ?? with (force)', [database])
await admin.raw('create database ??', [database])
const db = connect(await databaseUrl(database), { size: 32, name: 'bench' })
try {
  const { id, portId } = await prepare(db)
  for (const clients of [1, 8, 32]) {
    const ours: number[] = []
    const floor: number[] = []
    for (let round = 0; round < rounds; round += 1) {
      const bare = `insert into floor values (?, '10.0.0.0'::inet + nextval('floor_next'), 'used', ?)`
      floor.push(await rate(db, clients, (trx) => trx.raw(bare, [id, portId])))
      ours.push(await rate(db, clients, (trx) => allocate(trx, { id }, portId)))
    }
    const [mine, least] = [median(ours), median(floor)]
    print({
      [`clients_${clients}_per_second`]: mine,
      [`clients_${clients}_floor_per_second`]: least,
      [`clients_${clients}_ratio`]: mine / least,
    })
  }
} finally {
  await db.destroy()
  await admin.raw('drop database if exists ?? with (force)', [database])
  await admin.destroy()
}

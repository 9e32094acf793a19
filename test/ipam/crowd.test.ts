/** What holds of addresses whatever fifty transactions at once do, roll back, and die of. */
import { randomInt, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { execa } from 'execa'
import { AddressInUse, SubnetFull } from '../../core/errors.ts'
import { connect, type Db, type Transaction } from '../../db/connect.ts'
import { strayAddresses } from '../../db/drift.ts'
import { allocate } from '../../ipam/allocate.ts'
import { allocateNamed } from '../../ipam/allocate-named.ts'
import { giveBack } from '../../ipam/give-back.ts'
import { newMac } from '../../ipam/mac.ts'
import { release } from '../../ipam/release.ts'
import { usage } from '../../ipam/usage.ts'
import { freshDatabase, until, type TestDatabase } from '../world/index.ts'
import { newPool, newPort, type Pool } from './pool.ts'

const clients = 50
const rounds = 25
const timeoutMs = 240_000
const seed = Number(process.env.BERTH_TEST_SEED ?? randomInt(1_000_000))

let database: TestDatabase
let db: Db
beforeAll(async () => {
  console.log(`BERTH_TEST_SEED=${seed}`)
  database = await freshDatabase()
  db = connect(database.url, { size: clients + 5, name: 'crowd' })
})
afterAll(async () => {
  await db.destroy()
  await database.drop()
})

/** Numbers in [0, 1), the same for the same seed. Source: mulberry32, public domain */
function dice(start: number): () => number {
  let state = start
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

const ends = ['commit', 'commit', 'commit', 'commit', 'commit', 'commit', 'rollback', 'rollback', 'crash'] as const
class ChangedMind extends Error {}

async function newServer(trx: Transaction, pool: Pool): Promise<{ readonly id: string; readonly portId: string }> {
  const [id, portId] = [randomUUID(), randomUUID()]
  const flavor = { id: '1', name: 'm1.tiny', vcpus: 1, memoryMiB: 512, diskGiB: 0, extraSpecs: {} }
  const names = { projectId: 'p', userId: 'u', name: id, hostname: id, imageReference: '', reservationId: 'r' }
  await trx('servers').insert({ ...names, id, vmState: 'active', flavor })
  const port = { id: portId, networkId: pool.networkId, projectId: 'p', mac: newMac(), serverId: id, position: 0 }
  await trx('ports').insert({ ...port, isOwnedByServer: true })
  return { id, portId }
}

/**
 * One of the crowd. It holds two servers at most, of one address each. What it holds stands in `ledger` from after the commit that
 * took it until before the transaction that gives it back: an address that is there already is a duplicate.
 */
class Client {
  readonly #pool: Pool
  readonly #ledger: Map<string, string>
  readonly #roll: () => number
  readonly #mine = new Map<string, string>()

  constructor(pool: Pool, ledger: Map<string, string>, roll: () => number) {
    this.#pool = pool
    this.#ledger = ledger
    this.#roll = roll
  }

  async act(): Promise<void> {
    const [oldest] = this.#mine
    if (oldest && (this.#mine.size === 2 || this.#roll() < 0.4)) await this.#give(...oldest)
    else await this.#take(this.#roll() < 0.2)
  }

  /** @returns false when it was rolled back, or its backend died in the middle */
  async #inTransaction(work: (trx: Transaction) => Promise<void>): Promise<boolean> {
    const end = ends[Math.floor(this.#roll() * ends.length)] ?? 'commit'
    let backend: number | undefined
    try {
      await db.transaction(async (trx) => {
        await work(trx)
        if (end === 'rollback') throw new ChangedMind()
        if (end === 'commit') return
        backend = (await trx.raw<{ rows: { pid: number }[] }>('select pg_backend_pid() as pid')).rows[0]?.pid
        await trx.raw('select pg_terminate_backend(pg_backend_pid())')
      })
      return true
    } catch (error) {
      if (error instanceof ChangedMind) return false
      if (backend === undefined) throw error
      // What it held is free when it is gone, a moment after it said so.
      const gone = backend
      await until(async () => !(await db('pg_stat_activity').where({ pid: gone }).first('pid')))
      return false
    }
  }

  async #take(isNamed: boolean): Promise<void> {
    const wished = `10.60.0.${1 + Math.floor(this.#roll() * clients * 2)}`
    const taken: string[] = []
    try {
      const isHeld = await this.#inTransaction(async (trx) => {
        const { id, portId } = await newServer(trx, this.#pool)
        const address = isNamed
          ? await allocateNamed(trx, this.#pool, wished, portId)
          : await allocate(trx, this.#pool, portId)
        taken.push(address, id)
      })
      const [address = '', id = ''] = taken
      if (isHeld) this.#keep(address, id)
    } catch (error) {
      if (!isNamed || !(error instanceof AddressInUse)) throw error
    }
  }

  #keep(address: string, serverId: string): void {
    if (this.#ledger.has(address)) throw new Error(`${address} was handed out twice`)
    this.#ledger.set(address, serverId)
    this.#mine.set(address, serverId)
  }

  async #give(address: string, serverId: string): Promise<void> {
    this.#ledger.delete(address)
    this.#mine.delete(address)
    if (!(await this.#inTransaction((trx) => giveBack(trx, serverId)))) this.#keep(address, serverId)
  }
}

test(
  'fifty clients, of whom some change their minds and some die, never get one address twice, nor are told falsely of a full pool',
  async () => {
    const range = { first: '10.60.0.1', last: `10.60.0.${clients * 2}` }
    const pool = await newPool(db, '10.60.0.0/24', { ranges: [range] })
    const ledger = new Map<string, string>()
    const crowd = Array.from({ length: clients }, (_, index) => new Client(pool, ledger, dice(seed + index)))
    await Promise.all(
      crowd.map(async (client) => {
        for (let round = 0; round < rounds; round += 1) await client.act()
      }),
    )
    const rows = await db('addresses').where({ subnetId: pool.id, state: 'used' }).pluck('address')
    expect(rows.toSorted()).toEqual([...ledger.keys()].toSorted())
    expect(await strayAddresses(db)).toEqual([])
    const ofTheDead = db('addresses as a')
      .join('ports as p', 'p.id', 'a.portId')
      .join('servers as s', 's.id', 'p.serverId')
    expect(await ofTheDead.whereNotNull('s.deletedAt').pluck('a.address')).toEqual([])
    for (const serverId of ledger.values()) await db.transaction((trx) => giveBack(trx, serverId))
    const all = new Set<string>()
    for (let i = 0; i < clients * 2; i += 1)
      all.add(await db.transaction(async (trx) => allocate(trx, pool, (await newServer(trx, pool)).portId)))
    expect(all.size).toBe(clients * 2)
    const oneMore = db.transaction(async (trx) => allocate(trx, pool, (await newServer(trx, pool)).portId))
    await expect(oneMore).rejects.toThrow(SubnetFull)
  },
  timeoutMs,
)

test(
  'transactions that want the addresses of two pools in any order, some by name, never wait for each other in a ring',
  async () => {
    const pools = [
      await newPool(db, '10.61.0.0/26', { ranges: [{ first: '10.61.0.1', last: '10.61.0.40' }] }),
      await newPool(db, '10.62.0.0/26', { ranges: [{ first: '10.62.0.1', last: '10.62.0.40' }] }),
    ] as const
    const worker = async (roll: () => number): Promise<void> => {
      for (let round = 0; round < rounds; round += 1) {
        const order = roll() < 0.5 ? pools : pools.toReversed()
        try {
          await db.transaction(async (trx) => {
            for (const pool of order) {
              const portId = await newPort(trx, pool)
              const wished = pool.cidr.replace('0/26', String(1 + Math.floor(roll() * 40)))
              if (roll() < 0.7) await allocateNamed(trx, pool, wished, portId)
              else await allocate(trx, pool, portId)
            }
            if (roll() < 0.7) throw new ChangedMind()
          })
        } catch (error) {
          if (!(error instanceof ChangedMind || error instanceof AddressInUse || error instanceof SubnetFull))
            throw error
        }
      }
    }
    await Promise.all(Array.from({ length: clients }, (_, index) => worker(dice(seed + 1000 + index))))
    const { rows } = await db.raw<{ rows: { deadlocks: number }[] }>(
      'select deadlocks::int from pg_stat_database where datname = current_database()',
    )
    expect(rows[0]?.deadlocks).toBe(0)
  },
  timeoutMs,
)

const holder = `
const { connect } = await import(process.argv[1])
const db = connect(process.argv[2], { size: 1, name: 'victim' })
await db.transaction(async (trx) => {
  for (let i = 0; i < 5; i += 1) await trx.raw('select allocate_address(?, ?)', [process.argv[3], process.argv[4]])
  process.stdout.write('held\\n')
  await new Promise((resolve) => setTimeout(resolve, 600_000))
})
`

test('what a process held when it was killed is had by others at once', async () => {
  const pool = await newPool(db, '10.63.0.0/29', { ranges: [{ first: '10.63.0.1', last: '10.63.0.5' }] })
  const portId = await db.transaction((trx) => newPort(trx, pool))
  const take = async (): Promise<string> => await db.transaction((trx) => allocate(trx, pool, portId))
  const words = ['--input-type=module', '-e', holder, resolve('db/connect.ts'), database.url, pool.id, portId]
  const victim = execa(process.execPath, ['--disable-warning=ExperimentalWarning', ...words], { reject: false })
  try {
    await once(victim.stdout, 'data')
    await expect(take()).rejects.toThrow(SubnetFull)
  } finally {
    victim.kill('SIGKILL')
    await victim
  }
  await until(async () => !(await db('pg_stat_activity').where({ applicationName: 'victim' }).first('pid')))
  const taken = new Set<string>()
  for (let i = 0; i < 5; i += 1) taken.add(await take())
  expect(taken.size).toBe(5)
})

const perTransaction = 64
const takers = 24

test(
  'a full /16 is handed out and back, by many at once',
  async () => {
    const pool = await newPool(db, '10.64.0.0/16', { gateway: '10.64.0.1' })
    const size = 65_533
    const ports: string[] = []
    let left = Math.ceil(size / perTransaction)
    const take = async (): Promise<void> => {
      for (; left > 0;) {
        left -= 1
        await db.transaction(async (trx) => {
          const portId = await newPort(trx, pool)
          await trx.raw('select count(allocate_address(?, ?)) from generate_series(1, ?)', [
            pool.id,
            portId,
            perTransaction,
          ])
          ports.push(portId)
        })
      }
    }
    await Promise.all(Array.from({ length: takers }, take))
    expect(await usage(db, pool.id)).toMatchObject({ used: size })
    const last = db.transaction(async (trx) => allocate(trx, pool, await newPort(trx, pool)))
    await expect(last).rejects.toThrow(SubnetFull)
    const give = async (): Promise<void> => {
      for (let portId = ports.pop(); portId !== undefined; portId = ports.pop()) {
        const given = portId
        await db.transaction((trx) => release(trx, given))
      }
    }
    await Promise.all(Array.from({ length: takers }, give))
    expect(await usage(db, pool.id)).toMatchObject({ used: 0, reserved: 0 })
    const history = await db('address_history').where({ subnetId: pool.id }).distinct().pluck('address')
    expect(history.length).toBe(size)
    expect(await db.transaction(async (trx) => allocate(trx, pool, await newPort(trx, pool)))).toMatch(/^10\.64\./)
  },
  timeoutMs,
)

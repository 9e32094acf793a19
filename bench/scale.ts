/**
 * Many hosts and servers on one database: servers placed per second by real schedulers, what a claim and a list take as the tables grow,
 * and the memory of the processes, beside bare transactions of one INSERT and one UPDATE. Guests are those of drivers in memory.
 * usage: scale [servers] [hosts] [schedulers]
 */
import { randomUUID } from 'node:crypto'
import { readFile, truncate } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { loadConfig } from '../core/config.ts'
import type { Db } from '../db/connect.ts'
import { claim } from '../db/hosts.ts'
import { Cloud } from '../machine/cloud.ts'
import { median, print, timed } from './measure/figures.ts'
import { addServers, enqueueAll } from './scale/fill.ts'
import { loadAverage, startFleet } from './scale/fleet.ts'
import { shares, used } from './scale/processors.ts'
import { password, prepare, residentMiB, startProcesses, type ScaleSite } from './scale/site.ts'

function word(position: number, usual: number): number {
  return Number(process.argv[2 + position] ?? usual)
}

const total = word(0, 20_000)
const hosts = word(1, 1000)
const schedulers = word(2, 2)
const batch = Math.min(1000, Math.floor(total / 4))
const stages = [0, 0.25, 0.5, 1].map((share) => Math.max(0, Math.floor(total * share) - batch))
const clients = 16
const samples = 200

function p95(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * 0.95)] ?? Number.NaN
}

async function rateOf(count: number, work: (index: number) => Promise<unknown>): Promise<number> {
  const started = performance.now()
  let next = 0
  const client = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) await work(index)
  }
  await Promise.all(Array.from({ length: clients }, client))
  return count / ((performance.now() - started) / 1000)
}

/** Transactions per second of as many clients as the schedulers have: what this Postgres does at all. */
async function floor(db: Db): Promise<number> {
  await db.raw('create table if not exists floor_rows (id uuid primary key, host text)')
  await db.raw('create table if not exists floor_hosts (name text primary key, used int default 0)')
  await db.raw(`insert into floor_hosts select 'host-' || i from generate_series(1, 1000) i on conflict do nothing`)
  return await rateOf(1000, (index) =>
    db.transaction(async (trx) => {
      await trx.raw('insert into floor_rows values (?, ?)', [randomUUID(), `host-${1 + (index % 1000)}`])
      await trx.raw('update floor_hosts set used = used + 1 where name = ?', [`host-${1 + (index % 1000)}`])
    }),
  )
}

class RolledBack extends Error {}

/** The guarded statement alone, in a transaction that is taken back. */
async function claims(db: Db, serverIds: readonly string[]): Promise<readonly number[]> {
  const took: number[] = []
  for (const [index, serverId] of serverIds.slice(0, samples).entries()) {
    const wanted = { serverId, host: `host-${1 + ((index * 7) % hosts)}`, vcpus: 1, memoryMiB: 512, diskGiB: 1 }
    const transaction = db.transaction(async (trx) => {
      took.push(await timed(() => claim(trx, wanted)))
      throw new RolledBack()
    })
    await transaction.catch((error: unknown) => {
      if (!(error instanceof RolledBack)) throw error
    })
  }
  return took
}

async function milliseconds(count: number, work: () => Promise<unknown>): Promise<readonly number[]> {
  const took: number[] = []
  for (let index = 0; index < count; index += 1) took.push(await timed(work))
  return took
}

/** What the schedulers wrote of their jobs since the last look. */
async function jobTimes({ logs }: ScaleSite): Promise<readonly number[]> {
  const texts = await Promise.all(logs.map((path) => readFile(path, 'utf8')))
  for (const path of logs) await truncate(path)
  const lines = texts.flatMap((text) => text.split('\n')).filter((line) => line.includes('"job":"schedule"'))
  return lines.map((line) => Number(/"ms":(\d+)/.exec(line)?.[1] ?? Number.NaN))
}

async function placeBatch(site: ScaleSite): Promise<Readonly<Record<string, number>>> {
  const { db } = site
  const ids = await addServers(db, { count: batch, hosts, isPlaced: false })
  const inBatch = { ids: `{${ids.join(',')}}` }
  const usedBefore = await used(site)
  const started = performance.now()
  await enqueueAll(db, ids)
  let placedAt = 0
  for (;;) {
    const { rows } = await db.raw<{ rows: { waiting: number; built: number; failed: number }[] }>(
      `select count(*) filter (where task_state = 'scheduling')::int as waiting, count(*) filter (where vm_state = 'active')::int as built,
              count(*) filter (where vm_state = 'error')::int as failed
       from servers where id = any(:ids::uuid[])`,
      inBatch,
    )
    const { waiting, built, failed } = rows[0] ?? { waiting: batch, built: 0, failed: 0 }
    if (failed > 0) throw new Error(`${failed} of ${batch} servers found no host`)
    if (waiting === 0 && placedAt === 0) placedAt = performance.now()
    if (built === batch) break
    await sleep(200)
  }
  const usedAfter = await used(site)
  const times = await jobTimes(site)
  return {
    ...shares(usedBefore, usedAfter, batch),
    placed_per_second: batch / ((placedAt - started) / 1000),
    active_per_second: batch / ((performance.now() - started) / 1000),
    schedule_p50_ms: median(times),
    schedule_p95_ms: p95(times),
  }
}

async function stage(site: ScaleSite, cloud: Cloud, servers: number): Promise<Readonly<Record<string, number>>> {
  const { db, pids } = site
  const present = (await db('servers').count({ count: '*' }))[0]?.count
  const missing = servers - Number(present)
  if (missing > 0) await addServers(db, { count: missing, hosts, isPlaced: true })
  await db.raw('analyze')
  const before = await floor(db)
  const placed = await placeBatch(site)
  const after = await floor(db)
  const ids = (await db('servers').limit(samples).select('id')).map(({ id }) => id)
  const claimed = await claims(db, ids)
  const listed = await milliseconds(30, () => cloud.page(100))
  const far = await milliseconds(30, () => cloud.page(100, ids[0]))
  const shown = await milliseconds(50, () => cloud.server(ids[1] ?? ''))
  const memory: Record<string, number> = {}
  for (const [name, pid] of pids) memory[`${name}_rss_mib`] = await residentMiB(pid)
  const bare = (before + after) / 2
  return {
    servers: servers + batch,
    load: await loadAverage(),
    ...placed,
    floor_transactions_per_second: bare,
    ratio_placed_to_floor: (placed.placed_per_second ?? 0) / bare,
    claim_p50_ms: median(claimed),
    claim_p95_ms: p95(claimed),
    list_100_p50_ms: median(listed),
    list_100_p95_ms: p95(listed),
    list_100_from_marker_p50_ms: median(far),
    show_p50_ms: median(shown),
    ...memory,
  }
}

const prepared = await prepare('berth_bench_scale', hosts)
const port = 20_000 + (process.pid % 10_000)
const site = await startProcesses(prepared, { schedulers, port })
const fleet = await startFleet(site.db, site.url, hosts)
try {
  const cloud = await Cloud.open({ ...loadConfig(), publicUrl: site.apiUrl }, password)
  const figures: Readonly<Record<string, number>>[] = []
  for (const servers of stages) {
    const told = await stage(site, cloud, servers)
    print(told)
    process.stdout.write('\n')
    figures.push(told)
  }
  const [first, last] = [figures[0] ?? {}, figures.at(-1) ?? {}]
  const growth = Object.keys(first).filter((name) => /_ms$|_mib$|per_second$/.test(name))
  print(Object.fromEntries(growth.map((name) => [`growth_${name}`, (last[name] ?? 0) / (first[name] ?? 1)])))
} finally {
  await fleet.stop()
  await site.close()
}

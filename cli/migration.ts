/** berth migration: servers on their way to other hosts. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Command } from 'commander'
import { z } from 'zod'
import { CloudError, NotFound } from '../core/errors.ts'
import { phaseOf } from '../core/moves.ts'
import type { Client } from './client.ts'
import { table } from './table.ts'
import { show, type Shown, type Terminal } from './terminal.ts'

const microversion = '2.80'
const pollMs = 500
const bytesPerMiB = 1024 * 1024

const migration = z.object({
  id: z.number(),
  instance_uuid: z.string(),
  status: z.string(),
  migration_type: z.string(),
  source_compute: z.string().nullable(),
  dest_compute: z.string().nullable(),
  created_at: z.string(),
})
type Migration = z.output<typeof migration>
const progress = z.object({
  id: z.number(),
  disk_total_bytes: z.number(),
  disk_processed_bytes: z.number(),
  'berth:phase': z.string(),
  'berth:transport': z.string().nullable(),
  'berth:bytes_per_second': z.number(),
  'berth:seconds_left': z.number().nullable(),
})
type Progress = z.output<typeof progress>

/** A move as a person sees it. */
interface Move {
  readonly id: number
  readonly server: string
  readonly type: string
  readonly from: string | null
  readonly to: string | null
  readonly status: string
  readonly phase: string
  readonly transport: string | null
  readonly doneMiB: number | null
  readonly totalMiB: number | null
  readonly ratePerSecond: string | null
  readonly left: string | null
}

const underWay = ['queued', 'pre-migrating', 'migrating', 'post-migrating']

async function migrations(client: Client, query: Readonly<Record<string, string>>): Promise<readonly Migration[]> {
  const shape = z.object({ migrations: z.array(migration) })
  return (await client.ask('/compute/v2.1/os-migrations', { shape, microversion, query })).migrations
}

async function orNull<T>(asked: Promise<T>): Promise<T | null> {
  try {
    return await asked
  } catch (error) {
    if (error instanceof CloudError) return null
    throw error
  }
}

async function nameOf(client: Client, id: string): Promise<string> {
  const shape = z.object({ server: z.object({ name: z.string() }) })
  return (await orNull(client.ask(`/compute/v2.1/servers/${id}`, { shape, microversion })))?.server.name ?? id
}

async function progressOf(client: Client, { id, instance_uuid: server, status }: Migration): Promise<Progress | null> {
  if (!underWay.includes(status)) return null
  const shape = z.object({ migrations: z.array(progress) })
  const found = await orNull(client.ask(`/compute/v2.1/servers/${server}/migrations`, { shape, microversion }))
  return found?.migrations.find((one) => one.id === id) ?? null
}

function mebibytes(bytes: number): number {
  return Math.round(bytes / bytesPerMiB)
}

async function moveOf(client: Client, one: Migration): Promise<Move> {
  const [server, now] = await Promise.all([nameOf(client, one.instance_uuid), progressOf(client, one)])
  const seconds = now?.['berth:seconds_left']
  return {
    id: one.id,
    server,
    type: one.migration_type,
    from: one.source_compute,
    to: one.dest_compute,
    status: one.status,
    phase: now?.['berth:phase'] ?? phaseOf({ status: one.status, phase: null }),
    transport: now?.['berth:transport'] ?? null,
    doneMiB: now && mebibytes(now.disk_processed_bytes),
    totalMiB: now && mebibytes(now.disk_total_bytes),
    ratePerSecond: now && `${mebibytes(now['berth:bytes_per_second'])} MiB/s`,
    left: typeof seconds === 'number' ? `${seconds} s` : null,
  }
}

/** How far a move is concerns those that are under way alone. */
function tableOf(rows: readonly Move[]): string {
  const isMoving = rows.some(({ doneMiB }) => doneMiB !== null)
  return table(
    rows.map(({ transport, doneMiB, totalMiB, ratePerSecond, left, ...row }) => ({
      ...row,
      ...(isMoving ? { transport, 'done mib': doneMiB, 'of mib': totalMiB, rate: ratePerSecond, left } : {}),
    })),
  )
}

interface ListOptions extends Shown {
  readonly all?: boolean
}

async function list(terminal: Terminal, { json, all = false }: ListOptions): Promise<void> {
  const client = await terminal.client()
  const wanted = (await migrations(client, {})).filter(
    ({ status }) => all || underWay.includes(status) || status === 'finished' || status === 'reverting',
  )
  const rows = await Promise.all(wanted.map((one) => moveOf(client, one)))
  show(terminal, json, rows, () => tableOf(rows))
}

const barWidth = 24

/** One line: `web-1 vm -> vm-2  sync  [██████······] 120 of 512 MiB, 61 MiB/s, 7 s left` */
export function lineOf({ server, from, to, phase, doneMiB, totalMiB, ratePerSecond, left }: Move): string {
  const way = `${server}  ${from ?? '?'} -> ${to ?? '?'}  ${phase.padEnd(8)}`
  if (doneMiB === null || totalMiB === null) return way.trimEnd()
  const full = totalMiB === 0 ? 0 : Math.min(barWidth, Math.round((doneMiB / totalMiB) * barWidth))
  const bar = `[${'█'.repeat(full)}${'·'.repeat(barWidth - full)}]`
  return `${way} ${bar} ${doneMiB} of ${totalMiB} MiB, ${ratePerSecond ?? ''}${left === null ? '' : `, ${left} left`}`
}

/** What leaves a host at this moment, in one line. */
export async function movingNow(client: Client, host: string): Promise<string> {
  const leaving = await migrations(client, { source_compute: host })
  const rows = await Promise.all(
    leaving.filter(({ status }) => underWay.includes(status)).map((one) => moveOf(client, one)),
  )
  return rows
    .map(({ server, phase, doneMiB, totalMiB }) => `${server} ${phase} ${doneMiB ?? 0} of ${totalMiB ?? 0} MiB`)
    .join('; ')
}

/** By the number of the move, or the name or id of its server: its newest. */
async function find(client: Client, clue: string): Promise<Migration> {
  const every = await migrations(client, {})
  const byId = every.find(({ id, instance_uuid: server }) => String(id) === clue || server === clue)
  if (byId) return byId
  for (const one of every) if ((await nameOf(client, one.instance_uuid)) === clue) return one
  throw new NotFound('Migration', clue)
}

/** Lines that are written over where a person looks on; elsewhere each is written when its phase changes. */
class Lines {
  readonly #print: (text: string) => void
  readonly #isLive: boolean
  #height = 0
  readonly #phases = new Map<number, string>()

  constructor(print: (text: string) => void, isLive: boolean) {
    this.#print = print
    this.#isLive = isLive
  }

  show(rows: readonly Move[]): void {
    if (this.#isLive) {
      const up = this.#height > 0 ? `\u001B[${this.#height}A` : ''
      this.#print(up + rows.map((row) => `\u001B[2K${lineOf(row)}\n`).join(''))
      this.#height = rows.length
      return
    }
    for (const row of rows) {
      if (this.#phases.get(row.id) === row.phase) continue
      this.#phases.set(row.id, row.phase)
      this.#print(`${lineOf(row)}\n`)
    }
  }
}

/** Until each has come to where only its user's word is missing, or to its end. */
async function watch({ client: open, print, isLive = false }: Terminal, clue: string | undefined): Promise<void> {
  const client = await open()
  const first = clue === undefined ? await migrations(client, {}) : [await find(client, clue)]
  const watched = new Set(
    (clue === undefined ? first.filter(({ status }) => underWay.includes(status)) : first).map(({ id }) => id),
  )
  if (watched.size === 0) print('no server is on the move\n')
  const lines = new Lines(print, isLive)
  for (let isOver = watched.size === 0; !isOver;) {
    const now = (await migrations(client, {})).filter(({ id }) => watched.has(id))
    lines.show(await Promise.all(now.map((one) => moveOf(client, one))))
    isOver = now.every(({ status }) => !underWay.includes(status) && status !== 'reverting')
    if (!isOver) await sleep(pollMs)
  }
}

export function migrationCommand(terminal: Terminal): Command {
  const command = new Command('migration').description('servers on the move: list, watch')
  command
    .command('list')
    .description('moves that are open, with how far they are')
    .option('--all', 'those that ended as well')
    .option('--json', 'for programs')
    .action((options: ListOptions) => list(terminal, options))
  command
    .command('watch')
    .description('how far moves are, until each waits for its confirmation or has ended')
    .argument('[move]', 'its number, or the name or id of its server; none = all that are under way')
    .action((clue: string | undefined) => watch(terminal, clue))
  return command
}

/** Where the processor time of a stage went: each process of ours, and Postgres by whom it worked for. */
import { readFile } from 'node:fs/promises'
import type { Db } from '../../db/connect.ts'
import type { ScaleSite } from './site.ts'

/** Source: proc_pid_stat(5), utime and stime; Linux counts a hundred ticks a second for all that read it. */
const msPerTick = 10

/** @returns 0 of a process that has ended */
async function usedMs(pid: number | string): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * msPerTick
}

/** What each has used since it began, in milliseconds. */
export type Used = ReadonlyMap<string, number>

async function backends(db: Db): Promise<readonly { readonly pid: number; readonly name: string }[]> {
  const { rows } = await db.raw<{ rows: { pid: number; name: string }[] }>(
    `select pid, case when backend_type <> 'client backend' then 'postgres itself' else 'postgres for ' || application_name end as name
     from pg_stat_activity where datname = current_database() or datname is null`,
  )
  return rows
}

/** Asked on the machine on which all of them run. */
export async function used({ db, pids }: Pick<ScaleSite, 'db' | 'pids'>): Promise<Used> {
  const processes = [...pids].map(([name, pid]) => ({ name, pid: String(pid) }))
  const all = [...processes, { name: 'agents and bench', pid: 'self' }, ...(await backends(db))]
  const sums = new Map<string, number>()
  for (const { name, pid } of all) sums.set(name, (sums.get(name) ?? 0) + (await usedMs(pid)))
  return sums
}

/** @returns milliseconds for each of so many servers, such as `processor_ms_scheduler_1` */
export function shares(before: Used, after: Used, servers: number): Readonly<Record<string, number>> {
  const told = [...after].map(([name, ms]) => {
    const share = (ms - (before.get(name) ?? 0)) / servers
    return [`processor_ms_${name.replaceAll(/\W+/g, '_')}`, share] as const
  })
  return Object.fromEntries(told.filter(([, share]) => share >= 0.01))
}

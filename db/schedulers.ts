import type { Db } from './connect.ts'
import type { SchedulerRow } from './tables.ts'

export interface SchedulerState extends SchedulerRow {
  readonly silentSeconds: number
}

/** A sign of life; the first makes the scheduler known. */
export async function schedulerLives(db: Db, host: string): Promise<void> {
  await db('schedulers').insert({ host }).onConflict('host').merge({ heartbeatAt: db.fn.now() })
}

export async function listSchedulers(db: Db): Promise<readonly SchedulerState[]> {
  const { rows } = await db.raw<{ rows: SchedulerState[] }>(
    `select *, extract(epoch from now() - heartbeat_at)::float as silent_seconds from schedulers order by host`,
  )
  return rows
}

/** One that lives makes itself known again. */
export async function forgetScheduler(db: Db, id: string): Promise<void> {
  await db('schedulers').where({ id }).delete()
}

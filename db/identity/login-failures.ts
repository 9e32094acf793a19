/** Failures to log in, counted where all API processes see them. */
import type { Db } from '../connect.ts'

/** How often a log-in of this user, or from this address, failed, and how long that counts. */
export interface FailureCount {
  readonly who: string
  readonly failures: number
  readonly secondsLeft: number
}

/** @param who names of counters; @returns those that count at present */
export async function failuresOf(db: Db, who: readonly string[]): Promise<readonly FailureCount[]> {
  const { rows } = await db.raw<{ rows: FailureCount[] }>(
    `select who, failures, ceil(extract(epoch from forgotten_at - now()))::int as seconds_left
     from login_failures where who = any(?) and forgotten_at > now()`,
    [[...who]],
  )
  return rows
}

/** One more failure; the first begins a time after which all are forgotten. */
export async function countFailure(db: Db, who: readonly string[], windowSeconds: number): Promise<void> {
  await db.raw('delete from login_failures where forgotten_at < now()')
  await db.raw(
    `insert into login_failures as f (who, failures, forgotten_at)
     select w, 1, now() + make_interval(secs => :windowSeconds) from unnest(:who::text[]) w order by w
     on conflict (who) do update set
       failures = case when f.forgotten_at > now() then f.failures + 1 else 1 end,
       forgotten_at = case when f.forgotten_at > now() then f.forgotten_at else excluded.forgotten_at end`,
    { who: [...who], windowSeconds },
  )
}

export async function forgetFailures(db: Db, who: readonly string[]): Promise<void> {
  await db('login_failures')
    .whereIn('who', [...who])
    .delete()
}

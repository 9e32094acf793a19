/**
 * Who writes to the registry, and who sweeps it: never both. A push that finds a layer there relies on it, although nothing refers to it
 * yet. Both are leases, so that who was killed holds nobody up for long.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Unavailable } from '../core/errors.ts'
import type { Db } from './connect.ts'

const leaseSeconds = 120
const renewMs = 30_000
export const sweepSeconds = 600
const pollMs = 300

async function beginWriting(db: Db, id: string): Promise<boolean> {
  const { rows } = await db.raw<{ rows: unknown[] }>(
    `with free as (select 1 from registry_state where sweep_until < now() for share)
     insert into registry_writers (id, until) select ?, now() + make_interval(secs => ?) from free returning id`,
    [id, leaseSeconds],
  )
  return rows.length > 0
}

/** Blobs stay where they are while `write` goes on. Waits for a sweep to end. @throws Unavailable when it does not */
export async function whileWriting<T>(db: Db, write: () => Promise<T>): Promise<T> {
  const id = randomUUID()
  const deadline = performance.now() + sweepSeconds * 1000
  while (!(await beginWriting(db, id))) {
    if (performance.now() > deadline) throw new Unavailable('The registry is being swept.')
    await sleep(pollMs)
  }
  const renewing = setInterval(() => {
    // A lease that could not be renewed has time until the next try.
    db('registry_writers')
      .where({ id })
      .update({ until: db.raw('now() + make_interval(secs => ?)', [leaseSeconds]) })
      .catch(() => undefined)
  }, renewMs)
  try {
    return await write()
  } finally {
    clearInterval(renewing)
    await db('registry_writers').where({ id }).delete()
  }
}

/** The lease of whoever sweeps ends. */
export async function endSweep(db: Db): Promise<void> {
  await db('registry_state').update({ sweepUntil: db.raw(`'-infinity'`) })
}

/** @returns null when somebody writes, or sweeps */
export async function whileNobodyWrites<T>(db: Db, sweep: () => Promise<T>): Promise<{ readonly result: T } | null> {
  const isBegun = await db.transaction(async (trx) => {
    await trx('registry_state').forUpdate().first()
    await trx('registry_writers').where('until', '<', trx.fn.now()).delete()
    const changed = await trx('registry_state')
      .where('sweepUntil', '<', trx.fn.now())
      .whereNotExists(trx('registry_writers').select(trx.raw('1')))
      .update({ sweepUntil: trx.raw('now() + make_interval(secs => ?)', [sweepSeconds]) })
    return changed > 0
  })
  if (!isBegun) return null
  try {
    return { result: await sweep() }
  } finally {
    await endSweep(db)
  }
}

/** Transactions whose last statement holds a lock that others wait for. */
import { once } from 'node:events'
import type { Db, Transaction } from './connect.ts'

/** The value of a transaction, and its last statement, not yet sent. */
export interface Ending<T> {
  readonly value: T
  /** sends one statement of the transaction and waits for it; null = there is none */
  readonly last: (() => Promise<void>) | null
}

/**
 * A transaction whose last statement and commit are sent together: what that statement locks is held for no round trip of ours. When it fails,
 * the commit behind it undoes all (PostgreSQL manual, 7.2 of the frontend's protocol: in a failed transaction COMMIT is ROLLBACK).
 *
 * @throws what `work` and `last` throw: nothing was changed
 */
export async function endingWith<T>(db: Db, work: (trx: Transaction) => Promise<Ending<T>>): Promise<T> {
  const trx = await db.transaction()
  try {
    const { value, last } = await work(trx)
    const sent = last === null ? null : once(trx, 'query')
    const held = last?.()
    await Promise.race([sent, held])
    await Promise.all([held, trx.commit(), trx.executionPromise])
    return value
  } catch (error) {
    if (!trx.isCompleted()) await trx.rollback()
    throw error
  }
}

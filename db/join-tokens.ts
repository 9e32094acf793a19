/** Tokens by which machines join. The database knows their digests alone. */
import { createHash, randomBytes } from 'node:crypto'
import { Forbidden } from '../core/errors.ts'
import type { Db, Transaction } from './connect.ts'

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}

/** By what one machine may join, once. */
export interface JoinToken {
  readonly token: string
  readonly expiresAt: Date
}

/** Tokens of long ago go by the way. */
export async function newJoinToken(db: Db, userId: string, hours: number): Promise<JoinToken> {
  const token = randomBytes(24).toString('base64url')
  await db('join_tokens').where('expiresAt', '<', db.raw(`now() - interval '30 days'`)).delete()
  const [row] = await db('join_tokens')
    .insert({
      digest: digestOf(token),
      createdBy: userId,
      expiresAt: db.raw('now() + make_interval(secs => ?)', [Math.round(hours * 3600)]),
    })
    .returning('expiresAt')
  if (!row) throw new Error('a token was not written')
  return { token, expiresAt: row.expiresAt }
}

function usable(db: Db, token: string) {
  return db('join_tokens')
    .where({ digest: digestOf(token) })
    .whereNull('usedAt')
    .where('expiresAt', '>', db.fn.now())
}

function refusal(): Forbidden {
  return new Forbidden('The token is unknown, was used, or has expired; remedy: ./berth host token prints a new one')
}

/** The token could be used now. @throws Forbidden as `useJoinToken` does */
export async function checkJoinToken(db: Db, token: string): Promise<void> {
  if (!(await usable(db, token).first('expiresAt'))) throw refusal()
}

/** The token is this host's, and nobody's after it. @throws Forbidden when it is unknown, used or expired: which of them is not told */
export async function useJoinToken(trx: Transaction, token: string, host: string): Promise<void> {
  if ((await usable(trx, token).update({ usedAt: trx.fn.now(), usedBy: host })) === 0) throw refusal()
}

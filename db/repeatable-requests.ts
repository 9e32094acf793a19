/** Requests that carry a key: made once, however often they come. */
import { createHash } from 'node:crypto'
import { Invalid } from '../core/errors.ts'
import type { Db, Transaction } from './connect.ts'

export interface RepeatableRequest {
  readonly userId: string
  readonly projectId: string
  /** the client's own, unique among its requests of a day */
  readonly key: string
}

function digestOf(body: unknown): Buffer {
  return createHash('sha256').update(JSON.stringify(body)).digest()
}

/**
 * The first request of a key goes on, and one that comes meanwhile waits for its transaction. Call it before anything is made.
 *
 * @returns the server that an earlier request of this key made; null = this is the first
 * @throws  Invalid when the earlier request had another body
 */
export async function earlierServer(
  trx: Transaction,
  request: RepeatableRequest,
  body: unknown,
): Promise<string | null> {
  const digest = digestOf(body)
  const inserted = await trx('repeatable_requests')
    .insert({ ...request, digest })
    .onConflict()
    .ignore()
    .returning('key')
  if (inserted.length > 0) return null
  const earlier = await trx('repeatable_requests').where(request).first('digest', 'serverId')
  if (earlier?.serverId === undefined || earlier.serverId === null) return null
  if (!digest.equals(earlier.digest))
    throw new Invalid(`The Idempotency-Key ${request.key} was used for another request.`)
  return earlier.serverId
}

/** What the request made, in the same transaction. */
export async function rememberServer(trx: Transaction, request: RepeatableRequest, serverId: string): Promise<void> {
  await trx('repeatable_requests').where(request).update({ serverId })
}

/** Keys older than a day may be used anew. */
export async function forgetOldRequests(db: Db): Promise<void> {
  await db('repeatable_requests').where('createdAt', '<', db.raw(`now() - interval '1 day'`)).delete()
}

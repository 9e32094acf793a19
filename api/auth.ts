import { Unauthenticated } from '../core/errors.ts'
import type { Db } from '../db/connect.ts'
import { findBearer } from '../db/identity/tokens.ts'
import type { Caller } from './caller.ts'

/**
 * Who calls: one SELECT by the digest of the token.
 *
 * @throws Unauthenticated when there is no token, or it is unknown, revoked or expired
 */
export async function authenticate(db: Db, token: string | undefined): Promise<Caller> {
  const bearer = token === undefined || token === '' ? null : await findBearer(db, token)
  if (!bearer) throw new Unauthenticated()
  return { ...bearer, isAdmin: bearer.domainId === null && bearer.roles.includes('admin') }
}

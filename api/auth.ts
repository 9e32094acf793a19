import { Unauthenticated } from '../core/errors.ts'
import type { Db } from '../db/connect.ts'
import { findBearer } from '../db/identity/tokens.ts'
import type { Caller } from './caller.ts'
import type { Keystone } from './keystone.ts'

/**
 * Who calls: one SELECT by the digest of the token, or what an external Keystone says of it.
 *
 * @throws Unauthenticated when there is no token, or it is unknown, revoked or expired; Unavailable when Keystone does not answer
 */
export async function authenticate(
  { db, keystone }: { readonly db: Db; readonly keystone: Keystone | null },
  token: string | undefined,
): Promise<Caller> {
  if (token === undefined || token === '') throw new Unauthenticated()
  const bearer = await (keystone ? keystone.findBearer(token) : findBearer(db, token))
  if (!bearer) throw new Unauthenticated()
  return { ...bearer, isAdmin: bearer.domainId === null && bearer.roles.includes('admin') }
}

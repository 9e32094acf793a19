import { Unauthenticated } from '../core/errors.ts'
import type { Bearer } from '../db/identity/tokens.ts'
import type { Caller } from './caller.ts'
import type { Bearers } from './known-bearers.ts'

/**
 * Who calls, by our own tokens or by those of an external Keystone.
 *
 * @throws Unauthenticated when there is no token, or it is unknown, revoked or expired; Unavailable when Keystone does not answer
 */
export async function authenticate(bearers: Bearers, token: string | undefined): Promise<Caller> {
  if (token === undefined || token === '') throw new Unauthenticated()
  const bearer = await bearers.findBearer(token)
  if (!bearer) throw new Unauthenticated()
  return callerOf(bearer)
}

export function callerOf(bearer: Bearer): Caller {
  return { ...bearer, isAdmin: bearer.domainId === null && bearer.roles.includes('admin') }
}

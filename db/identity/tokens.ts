/** Tokens. Only the digest of one is kept: who reads the database cannot act as a user. */
import { createHash } from 'node:crypto'
import type { AccessRule } from '../../core/identity.ts'
import type { Db } from '../connect.ts'
import type { TokenRow } from '../tables.ts'
import type { Place } from './assignments.ts'

/** Who calls: a token with all that is known of its bearer, read in one statement. At most one of project, domain and system is named. */
export interface Bearer extends Place {
  readonly userId: string
  readonly userName: string
  readonly userDomainId: string
  readonly userDomainName: string
  /** null for a token that is not scoped to a project */
  readonly projectName: string | null
  readonly projectDomainId: string | null
  readonly projectDomainName: string | null
  readonly domainName: string | null
  /** names of the roles that hold now, implied ones among them; not those of the time of the login */
  readonly roles: readonly string[]
  readonly methods: readonly string[]
  readonly auditId: string
  readonly parentAuditId: string | null
  readonly issuedAt: Date
  readonly expiresAt: Date
  /** the application credential that stands behind the token */
  readonly applicationCredentialId: string | null
  readonly applicationCredentialName: string | null
  readonly isUnrestricted: boolean
  /** null = it may ask for whatever its roles allow */
  readonly accessRules: readonly AccessRule[] | null
}

export function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}

export async function insertToken(db: Db, token: Omit<TokenRow, 'issuedAt'>): Promise<void> {
  await db('tokens').insert({ ...token, methods: [...token.methods] })
}

/**
 * The bearer of a token that has not expired, of an enabled user in an enabled project or domain, who has a role there; null when
 * there is none. All of it is as it is now: a role withdrawn or a project disabled tells at once.
 */
export async function findBearer(db: Db, token: string): Promise<Bearer | null> {
  const { rows } = await db.raw<{ rows: Bearer[] }>('select * from bearer_of(?)', [digestOf(token)])
  return rows[0] ?? null
}

/** A bearer, and the number of changes of who may do what that he was read at (migrations/080-identity-changes.ts). */
export interface KnownBearer {
  readonly bearer: Bearer
  readonly changes: number
}

/** As `findBearer`. */
export async function learnBearer(db: Db, digest: Buffer): Promise<KnownBearer | null> {
  const { rows } = await db
    .raw<{ rows: (Bearer & { readonly changes: number })[] }>(
      'select b.*, c.number as changes from bearer_of(?) b, identity_changes c',
      [digest],
    )
    .options({ name: 'bearer of a token' })
  const [row] = rows
  if (!row) return null
  const { changes, ...bearer } = row
  return { bearer, changes }
}

/** How one token is named among others: its digest in base64. */
export function keyOf(digest: Buffer): string {
  return digest.toString('base64')
}

/** The number of changes so far, of each of these tokens that is there and has not expired, by its key. */
export async function changesSeenBy(db: Db, digests: readonly Buffer[]): Promise<ReadonlyMap<string, number>> {
  const { rows } = await db
    .raw<{ rows: { key: string; changes: number }[] }>(
      `select encode(t.digest, 'base64') as key, c.number as changes from tokens t, identity_changes c
       where t.digest = any(?) and t.expires_at > now()`,
      [[...digests]],
    )
    .options({ name: 'changes seen by tokens' })
  return new Map(rows.map(({ key, changes }) => [key, changes]))
}

/** @returns false when there was no such token */
export async function revokeToken(db: Db, token: string): Promise<boolean> {
  return (
    (await db('tokens')
      .where({ digest: digestOf(token) })
      .delete()) > 0
  )
}

/** What a user had is over: its password was changed, or it was disabled. */
export async function revokeTokensOf(db: Db, userId: string): Promise<void> {
  await db('tokens').where({ userId }).delete()
}

/** @returns how many expired tokens were removed */
export async function removeExpiredTokens(db: Db): Promise<number> {
  return await db('tokens').where('expiresAt', '<', db.fn.now()).delete()
}

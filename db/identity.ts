/** Users, projects, roles and tokens. Of a token only the digest is kept. */
import { createHash } from 'node:crypto'
import type { Db } from './connect.ts'
import type { ProjectRow, RoleRow, TokenRow, UserRow } from './tables.ts'

/** The one domain of a cloud. */
export const defaultDomain = { id: 'default', name: 'Default' } as const

/** Names a user or a project, as the identity API does. */
export type Named = { readonly id: string } | { readonly name: string; readonly domainId: string }

/** Who calls: a token with all that is known of its bearer, read in one statement. */
export interface Bearer {
  readonly userId: string
  readonly userName: string
  /** null for a token that is not scoped to a project */
  readonly projectId: string | null
  readonly projectName: string | null
  readonly roles: readonly string[]
  readonly methods: readonly string[]
  readonly auditId: string
  readonly issuedAt: Date
  readonly expiresAt: Date
}

export function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}

export async function findUser(db: Db, named: Named): Promise<UserRow | null> {
  return (await db('users').where(named).first()) ?? null
}

export async function findProject(db: Db, named: Named): Promise<ProjectRow | null> {
  return (await db('projects').where(named).first()) ?? null
}

export async function listUsers(db: Db, { name }: { readonly name: string | null }): Promise<readonly UserRow[]> {
  return await db('users')
    .where(name === null ? {} : { name })
    .orderBy('name')
}

/** @param of.userId only the projects in which this user has a role */
export async function listProjects(
  db: Db,
  of: { readonly name: string | null; readonly userId: string | null },
): Promise<readonly ProjectRow[]> {
  const query = db('projects').orderBy('name')
  if (of.name !== null) void query.where({ name: of.name })
  if (of.userId !== null)
    void query.whereIn('id', db('role_assignments').where({ userId: of.userId }).select('projectId'))
  return await query
}

export async function listRoles(db: Db, { name }: { readonly name: string | null }): Promise<readonly RoleRow[]> {
  return await db('roles')
    .where(name === null ? {} : { name })
    .orderBy('name')
}

export async function rolesIn(db: Db, userId: string, projectId: string): Promise<readonly RoleRow[]> {
  return await db('roles')
    .whereIn('id', db('role_assignments').where({ userId, projectId }).select('roleId'))
    .orderBy('name')
}

export async function insertToken(db: Db, token: Omit<TokenRow, 'issuedAt'>): Promise<TokenRow> {
  const [row] = await db('tokens')
    .insert({ ...token, methods: [...token.methods] })
    .returning('*')
  if (!row) throw new Error('the token was not kept')
  return row
}

/** The bearer of a token that has not expired, of an enabled user in an enabled project; null when there is none. */
export async function findBearer(db: Db, token: string): Promise<Bearer | null> {
  const { rows } = await db.raw<{ rows: Bearer[] }>(
    `select t.user_id, u.name as user_name, t.project_id, p.name as project_name, t.methods, t.audit_id, t.issued_at, t.expires_at,
            array(select r.name from role_assignments a join roles r on r.id = a.role_id
                  where a.user_id = t.user_id and a.project_id = t.project_id order by r.name) as roles
     from tokens t join users u on u.id = t.user_id and u.enabled
     left join projects p on p.id = t.project_id
     where t.digest = ? and t.expires_at > now() and p.enabled is not false`,
    [digestOf(token)],
  )
  return rows[0] ?? null
}

/** @returns false when there was no such token */
export async function revokeToken(db: Db, token: string): Promise<boolean> {
  return (
    (await db('tokens')
      .where({ digest: digestOf(token) })
      .delete()) > 0
  )
}

/** @returns how many expired tokens were removed */
export async function removeExpiredTokens(db: Db): Promise<number> {
  return await db('tokens').where('expiresAt', '<', db.fn.now()).delete()
}

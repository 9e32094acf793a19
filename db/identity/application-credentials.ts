import type { Db, Transaction } from '../connect.ts'
import type { ApplicationCredentialRow, RoleRow } from '../tables.ts'
import { unique } from './filter.ts'

export interface ApplicationCredential extends Omit<ApplicationCredentialRow, 'secretHash'> {
  readonly roles: readonly Pick<RoleRow, 'id' | 'name'>[]
}

const shown = `
  select c.id, c.user_id, c.project_id, c.name, c.description, c.unrestricted, c.access_rules, c.expires_at, c.created_at,
         coalesce((select jsonb_agg(jsonb_build_object('id', r.id, 'name', r.name) order by r.name)
                   from application_credential_roles a join roles r on r.id = a.role_id
                   where a.application_credential_id = c.id), '[]') as roles
  from application_credentials c`

/** Those of a user. */
export async function listCredentials(
  db: Db,
  userId: string,
  { name }: { readonly name: string | null },
): Promise<readonly ApplicationCredential[]> {
  const { rows } = await db.raw<{ rows: ApplicationCredential[] }>(
    `${shown} where c.user_id = :userId and (:name::text is null or c.name = :name) order by c.name`,
    { userId, name },
  )
  return rows
}

export async function findCredential(db: Db, userId: string, id: string): Promise<ApplicationCredential | null> {
  const { rows } = await db.raw<{ rows: ApplicationCredential[] }>(`${shown} where c.user_id = ? and c.id = ?`, [
    userId,
    id,
  ])
  return rows[0] ?? null
}

/** What a login is checked against: named by its id, or by its user and its name. */
export async function findCredentialSecret(
  db: Db,
  named: { readonly id: string } | { readonly userId: string; readonly name: string },
): Promise<ApplicationCredentialRow | null> {
  return (await db('application_credentials').where(named).first()) ?? null
}

/** @throws Conflict when the user has one of that name */
export async function insertCredential(
  trx: Transaction,
  { accessRules, ...credential }: Omit<ApplicationCredentialRow, 'createdAt'>,
  roleIds: readonly string[],
): Promise<void> {
  const rules = accessRules === null ? null : trx.raw('?::jsonb', [JSON.stringify(accessRules)])
  await unique(
    'application_credential',
    credential.name,
    trx('application_credentials').insert({ ...credential, accessRules: rules }),
  )
  await trx('application_credential_roles').insert(
    roleIds.map((roleId) => ({ applicationCredentialId: credential.id, roleId })),
  )
}

/** With the tokens made of it. @returns false when the user has no such credential */
export async function deleteCredential(db: Db, userId: string, id: string): Promise<boolean> {
  return (await db('application_credentials').where({ userId, id }).delete()) > 0
}

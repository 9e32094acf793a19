import type { Db } from '../connect.ts'
import type { RoleRow } from '../tables.ts'
import { namedFields, narrow, one, unique, type Filter, type Change } from './filter.ts'

export async function findRole(
  db: Db,
  named: { readonly id: string } | { readonly name: string },
): Promise<RoleRow | null> {
  return (await db('roles').where(named).first()) ?? null
}

export async function listRoles(db: Db, filter: Filter): Promise<readonly RoleRow[]> {
  return await narrow(db('roles').select('*').orderBy('name'), filter)
}

export async function listRolesNamed(db: Db, names: readonly string[]): Promise<readonly RoleRow[]> {
  return await db('roles').whereIn('name', names).orderBy('name')
}

/** @throws Conflict when the name is taken */
export async function insertRole(db: Db, role: RoleRow): Promise<void> {
  await unique('role', role.name, db('roles').insert(role))
}

/** @throws Conflict when the name is taken */
export async function updateRole(db: Db, id: string, change: Change<RoleRow>): Promise<RoleRow | null> {
  return one(
    await unique(
      'role',
      change.name ?? id,
      db('roles')
        .where({ id })
        .update({ id, ...namedFields<RoleRow>(change) })
        .returning('*'),
    ),
  )
}

/** With all assignments of it. @returns false when there is none */
export async function deleteRole(db: Db, id: string): Promise<boolean> {
  return (await db('roles').where({ id }).delete()) > 0
}

/** One role that a prior one includes. */
export interface Implication {
  readonly prior: RoleRow
  readonly implied: RoleRow
}

/** @param priorId only what this role includes, directly; null = all */
export async function listImplications(db: Db, priorId: string | null): Promise<readonly Implication[]> {
  const { rows } = await db.raw<{ rows: Implication[] }>(
    `select to_jsonb(p) as prior, to_jsonb(i) as implied
     from implied_roles x join roles p on p.id = x.prior_role_id join roles i on i.id = x.implied_role_id
     where :priorId::text is null or x.prior_role_id = :priorId order by p.name, i.name`,
    { priorId },
  )
  return rows
}

export async function imply(db: Db, priorRoleId: string, impliedRoleId: string): Promise<void> {
  await db('implied_roles').insert({ priorRoleId, impliedRoleId }).onConflict().ignore()
}

/** @returns false when there was no such implication */
export async function stopImplying(db: Db, priorRoleId: string, impliedRoleId: string): Promise<boolean> {
  return (await db('implied_roles').where({ priorRoleId, impliedRoleId }).delete()) > 0
}

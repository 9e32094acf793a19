/** Who has which role where. */
import type { Db } from '../connect.ts'
import type { RoleAssignmentRow, RoleRow } from '../tables.ts'

export type Actor = { readonly userId: string } | { readonly groupId: string }
export type Target = { readonly projectId: string } | { readonly domainId: string } | { readonly isSystem: true }

/** A role of an actor at a target; inherited: not there, but in all projects below. */
export interface Grant {
  readonly actor: Actor
  readonly target: Target
  readonly roleId: string
  readonly isInherited: boolean
}

const nowhere = { projectId: null, domainId: null, isSystem: false } as const
const noone = { userId: null, groupId: null } as const

function rowOf({ actor, target, roleId, isInherited }: Grant): RoleAssignmentRow {
  return { ...noone, ...nowhere, ...actor, ...target, roleId, isInherited }
}

/** Given twice is as if given once. */
export async function grant(db: Db, wanted: Grant): Promise<void> {
  await db('role_assignments').insert(rowOf(wanted)).onConflict().ignore()
}

/** @returns false when there was no such assignment */
export async function withdraw(db: Db, grant: Grant): Promise<boolean> {
  return (await db('role_assignments').where(rowOf(grant)).delete()) > 0
}

export async function hasGrant(db: Db, grant: Grant): Promise<boolean> {
  return (await db('role_assignments').where(rowOf(grant)).first('roleId')) !== undefined
}

/** The roles assigned to an actor at a target, not those that they imply. */
export async function rolesGranted(
  db: Db,
  { actor, target, isInherited }: Omit<Grant, 'roleId'>,
): Promise<readonly RoleRow[]> {
  const row = { ...noone, ...nowhere, ...actor, ...target, isInherited }
  return await db('roles').whereIn('id', db('role_assignments').where(row).select('roleId')).orderBy('name')
}

/** Where a token is for. */
export interface Place {
  readonly projectId: string | null
  readonly domainId: string | null
  readonly isSystem: boolean
}

/** All roles that hold for a user at a place: own, by groups, from above, implied. */
export async function rolesAt(db: Db, userId: string, place: Place): Promise<readonly RoleRow[]> {
  const { rows } = await db.raw<{ rows: RoleRow[] }>(
    'select * from roles where id in (select roles_of(?, ?, ?, ?)) order by name',
    [userId, place.projectId, place.domainId, place.isSystem],
  )
  return rows
}

/** An assignment with the names of all that it joins. */
export interface NamedAssignment extends RoleAssignmentRow {
  readonly roleName: string
  readonly userName: string | null
  readonly userDomainId: string | null
  readonly userDomainName: string | null
  readonly groupName: string | null
  readonly groupDomainId: string | null
  readonly groupDomainName: string | null
  readonly projectName: string | null
  readonly projectDomainId: string | null
  readonly projectDomainName: string | null
  readonly domainName: string | null
}

export interface AssignmentFilter {
  readonly userId: string | null
  readonly groupId: string | null
  readonly roleId: string | null
  readonly projectId: string | null
  readonly domainId: string | null
  readonly isSystem: boolean
  readonly isInherited: boolean | null
  /** of the target, or of the project's domain: what an administrator of one domain sees */
  readonly withinDomainId: string | null
}

const direct = 'select * from role_assignments'
const effective = 'select *, null::text as group_id, false as is_inherited from effective_assignments(:userId)'

export async function listAssignments(
  db: Db,
  { isEffective, ...filter }: AssignmentFilter & { readonly isEffective: boolean },
): Promise<readonly NamedAssignment[]> {
  const { rows } = await db.raw<{ rows: NamedAssignment[] }>(
    `select a.*, r.name as role_name,
            u.name as user_name, u.domain_id as user_domain_id, ud.name as user_domain_name,
            g.name as group_name, g.domain_id as group_domain_id, gd.name as group_domain_name,
            p.name as project_name, p.domain_id as project_domain_id, pd.name as project_domain_name, d.name as domain_name
     from (${isEffective ? effective : direct}) a join roles r on r.id = a.role_id
     left join users u on u.id = a.user_id left join domains ud on ud.id = u.domain_id
     left join groups g on g.id = a.group_id left join domains gd on gd.id = g.domain_id
     left join projects p on p.id = a.project_id left join domains pd on pd.id = p.domain_id
     left join domains d on d.id = a.domain_id
     where (:userId::text is null or a.user_id = :userId) and (:groupId::text is null or a.group_id = :groupId)
       and (:roleId::text is null or a.role_id = :roleId) and (:projectId::text is null or a.project_id = :projectId)
       and (:domainId::text is null or a.domain_id = :domainId) and (not :isSystem or a.is_system)
       and (:isInherited::boolean is null or a.is_inherited = :isInherited)
       and (:withinDomainId::text is null or coalesce(a.domain_id, p.domain_id) = :withinDomainId)
     order by u.name, g.name, p.name, d.name, r.name`,
    { ...filter },
  )
  return rows
}

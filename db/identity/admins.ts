/** Who leads the whole cloud: the role admin in any project, or system-wide. An administrator of one domain must not become one. */
import type { Db } from '../connect.ts'

const leads = `
  select exists (
    select from effective_assignments(?) a join roles r on r.id = a.role_id
    where r.name = 'admin' and (a.project_id is not null or a.is_system)) as is_so`

export async function isCloudAdmin(db: Db, userId: string): Promise<boolean> {
  const { rows } = await db.raw<{ rows: { isSo: boolean }[] }>(leads, [userId])
  return rows[0]?.isSo ?? false
}

/** Whether the role is admin, or includes it. */
export async function includesAdmin(db: Db, roleId: string): Promise<boolean> {
  const { rows } = await db.raw<{ rows: unknown[] }>(
    "select from roles where name = 'admin' and id in (select with_implied(array[?::text]))",
    [roleId],
  )
  return rows.length > 0
}

/** Whether members of the group are administrators somewhere. */
export async function isGroupOfAdmins(db: Db, groupId: string): Promise<boolean> {
  const { rows } = await db.raw<{ rows: unknown[] }>(
    `select from roles where name = 'admin'
       and id in (select with_implied(array(select role_id from role_assignments where group_id = ?)))`,
    [groupId],
  )
  return rows.length > 0
}

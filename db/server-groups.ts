/** Groups of servers that are to stand together, or apart. */
import { NotFound } from '../core/errors.ts'
import { isUuid } from '../core/uuid.ts'
import type { Db, Transaction } from './connect.ts'
import type { ServerGroupRow } from './tables.ts'

export interface ServerGroup extends ServerGroupRow {
  /** ids of its servers that are not deleted, oldest first */
  readonly members: readonly string[]
}

const withMembers = `server_groups.*, array(select s.id::text from servers s
  where s.server_group_id = server_groups.id and s.deleted_at is null order by s.created_at, s.id) as members`

export async function insertServerGroup(trx: Transaction, group: Omit<ServerGroupRow, 'createdAt'>): Promise<void> {
  await trx('server_groups').insert(group)
}

/**
 * @param projectId the project that asks; null = any
 * @throws          NotFound
 */
export async function getServerGroup(db: Db, id: string, projectId: string | null): Promise<ServerGroup> {
  const row = isUuid(id)
    ? await db('server_groups')
        .where({ id, ...(projectId === null ? {} : { projectId }) })
        .first<ServerGroup | undefined>(db.raw(withMembers))
    : undefined
  if (!row) throw new NotFound('Instance group', id)
  return row
}

export async function findServerGroup(db: Db, id: string): Promise<ServerGroupRow | null> {
  return (await db('server_groups').where({ id }).first()) ?? null
}

/** Whoever adds to the group waits until this transaction ends. */
export async function lockServerGroup(trx: Transaction, id: string): Promise<void> {
  await trx.raw('select pg_advisory_xact_lock(hashtext(?))', [`server group ${id}`])
}

/** Oldest first. */
export async function listServerGroups(
  db: Db,
  page: { readonly projectId: string | null; readonly limit: number; readonly offset: number },
): Promise<readonly ServerGroup[]> {
  const query = db('server_groups')
    .select<ServerGroup[]>(db.raw(withMembers))
    .orderBy(['createdAt', 'id'])
    .limit(page.limit)
    .offset(page.offset)
  if (page.projectId !== null) void query.where({ projectId: page.projectId })
  return await query
}

/** Its servers stay, and are in no group. */
export async function deleteServerGroup(trx: Transaction, id: string): Promise<void> {
  await trx('server_groups').where({ id }).delete()
}

export async function countServerGroups(db: Db, projectId: string, userId: string | null): Promise<number> {
  const [row] = await db('server_groups')
    .where({ projectId, ...(userId === null ? {} : { userId }) })
    .count({ count: '*' })
  return Number(row?.count ?? 0)
}

export async function countMembers(db: Db, groupId: string): Promise<number> {
  const [row] = await db('servers').where({ serverGroupId: groupId }).whereNull('deletedAt').count({ count: '*' })
  return Number(row?.count ?? 0)
}

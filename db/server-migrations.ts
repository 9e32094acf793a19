/** Moves and resizes of servers, past and present. */
import type { Db } from './connect.ts'
import type { ServerMigrationRow } from './tables.ts'

export interface MigrationFilter {
  readonly serverId: string | null
  readonly projectId: string | null
  readonly userId: string | null
  /** source or target */
  readonly host: string | null
  readonly sourceHost: string | null
  readonly status: string | null
  readonly type: string | null
  readonly changesSince: Date | null
  readonly changesBefore: Date | null
  readonly limit: number
  /** the uuid of the last one of the page before; it must exist */
  readonly marker: string | null
}

/** Newest first. */
export async function listMigrations(db: Db, filter: MigrationFilter): Promise<readonly ServerMigrationRow[]> {
  const query = db('server_migrations').orderBy('id', 'desc').limit(filter.limit)
  const equal = {
    serverId: filter.serverId,
    projectId: filter.projectId,
    userId: filter.userId,
    sourceHost: filter.sourceHost,
    status: filter.status,
  }
  for (const [column, value] of Object.entries(equal)) if (value !== null) void query.where(column, value)
  if (filter.type !== null) void query.whereRaw('type = ?', [filter.type])
  if (filter.host !== null) void query.whereRaw('? in (source_host, target_host)', [filter.host])
  if (filter.changesSince !== null) void query.where('updatedAt', '>=', filter.changesSince)
  if (filter.changesBefore !== null) void query.where('updatedAt', '<=', filter.changesBefore)
  if (filter.marker !== null)
    void query.where('id', '<', db('server_migrations').where({ uuid: filter.marker }).select('id'))
  return await query
}

export async function isMigration(db: Db, uuid: string): Promise<boolean> {
  return (await db('server_migrations').where({ uuid }).first('id')) !== undefined
}

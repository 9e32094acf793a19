/** How long servers ran, and how large. */
import type { Db } from './connect.ts'
import type { ServerRow } from './tables.ts'

export type UsedServer = Pick<
  ServerRow,
  'id' | 'name' | 'projectId' | 'flavor' | 'vmState' | 'launchedAt' | 'terminatedAt'
> & { readonly launchedAt: Date }

export interface UsageWindow {
  readonly start: Date
  readonly stop: Date
  /** null = of all projects */
  readonly projectId: string | null
  /** null = all */
  readonly limit: number | null
  /** id of the last server of the page before; it must exist */
  readonly marker: string | null
}

/** Servers, deleted ones too, that were there at some time between start and stop; in the order of their projects. */
export async function usedServers(db: Db, window: UsageWindow): Promise<readonly UsedServer[]> {
  const query = db('servers')
    .select<UsedServer[]>('id', 'name', 'projectId', 'flavor', 'vmState', 'launchedAt', 'terminatedAt')
    .where('launchedAt', '<', window.stop)
    .whereRaw('coalesce(terminated_at, ?) > ?', [window.stop, window.start])
    .orderBy(['projectId', 'id'])
  if (window.projectId !== null) void query.where({ projectId: window.projectId })
  if (window.limit !== null) void query.limit(window.limit)
  if (window.marker !== null)
    void query.whereRaw('(project_id, id) > (select project_id, id from servers where id = ?)', [window.marker])
  return await query
}

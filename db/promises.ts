/** What is promised on hosts, server by server. */
import type { Db } from './connect.ts'

export interface Promised {
  readonly serverId: string
  readonly projectId: string
  readonly userId: string
  readonly hostId: string
  readonly vcpus: number
  readonly memoryMiB: number
  readonly diskGiB: number
}

export interface PromiseFilter {
  readonly serverId?: string
  readonly hostId?: string
  readonly projectId?: string
  readonly userId?: string
}

const columns = { serverId: 'a.serverId', hostId: 'h.id', projectId: 's.projectId', userId: 's.userId' } as const

/** A server that moves has a place on two hosts. */
export async function listPromised(db: Db, filter: PromiseFilter): Promise<readonly Promised[]> {
  const query = db({ a: 'allocations' })
    .join({ s: 'servers' }, 's.id', 'a.serverId')
    .join({ h: 'hosts' }, 'h.name', 'a.host')
    .select<Promised[]>({ ...columns, vcpus: 'a.vcpus', memoryMiB: 'a.memoryMiB', diskGiB: 'a.diskGiB' })
    .orderByRaw('a.server_id, h.id')
  const wanted = [
    [columns.serverId, filter.serverId],
    [columns.hostId, filter.hostId],
    [columns.projectId, filter.projectId],
    [columns.userId, filter.userId],
  ] as const
  for (const [column, value] of wanted) if (value !== undefined) void query.whereRaw('?? = ?', [column, value])
  return await query
}

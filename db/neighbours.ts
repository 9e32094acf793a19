import type { Db } from './connect.ts'

/** The hosts that these servers stand on; ids of servers that are not there stand nowhere. */
export async function hostsOfServers(db: Db, ids: readonly string[]): Promise<readonly string[]> {
  const { rows } = await db.raw<{ rows: { host: string }[] }>(
    `select distinct host from servers where id::text = any(?) and host is not null and deleted_at is null`,
    [[...ids]],
  )
  return rows.map(({ host }) => host)
}

/** How many members of a group, but for one server, stand on each host. */
export async function membersByHost(db: Db, groupId: string, but: string): Promise<ReadonlyMap<string, number>> {
  const { rows } = await db.raw<{ rows: { host: string; count: number }[] }>(
    `select host, count(*)::int as count from servers
     where server_group_id = ? and id <> ? and host is not null and deleted_at is null group by host`,
    [groupId, but],
  )
  return new Map(rows.map(({ host, count }) => [host, count]))
}

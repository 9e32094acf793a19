/** How the addresses of subnets are spread over racks; racks without any are not in the maps. */
import type { Db } from './connect.ts'

interface RackRow {
  readonly rack: string
  readonly ports: number
}

function mapOf(rows: readonly RackRow[]): ReadonlyMap<string, number> {
  return new Map(rows.map(({ rack, ports }) => [rack, ports]))
}

/** Of the subnets in which this server has addresses: those of other servers. */
export async function neighboursByRack(db: Db, serverId: string): Promise<ReadonlyMap<string, number>> {
  const { rows } = await db.raw<{ rows: RackRow[] }>(
    `select h.rack, count(*)::int as ports
     from (select distinct a.subnet_id from ports p join addresses a on a.port_id = p.id where p.server_id = ?) own
     join addresses a on a.subnet_id = own.subnet_id join ports p on p.id = a.port_id join hosts h on h.name = p.host
     where h.rack is not null and p.server_id <> ? group by h.rack`,
    [serverId, serverId],
  )
  return mapOf(rows)
}

/** Of all subnets of a network. */
export async function portsByRack(db: Db, networkId: string): Promise<ReadonlyMap<string, number>> {
  const { rows } = await db.raw<{ rows: RackRow[] }>(
    `select h.rack, count(*)::int as ports from ports p join hosts h on h.name = p.host
     where p.network_id = ? and h.rack is not null group by h.rack`,
    [networkId],
  )
  return mapOf(rows)
}

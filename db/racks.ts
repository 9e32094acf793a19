/** How the addresses of subnets are spread over racks; racks without any are not in the maps. */
import type { Db } from './connect.ts'

interface RackRow {
  readonly rack: string
  readonly ports: number
}

function mapOf(rows: readonly RackRow[]): Map<string, number> {
  return new Map(rows.map(({ rack, ports }) => [rack, ports]))
}

/** The subnets in which each of these servers has addresses, by its id. */
export async function subnetsOf(db: Db, serverIds: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>> {
  const { rows } = await db
    .raw<{ rows: { serverId: string; subnets: string[] }[] }>(
      `select p.server_id, array_agg(distinct a.subnet_id::text) as subnets
       from ports p join addresses a on a.port_id = p.id where p.server_id = any(?::uuid[]) group by p.server_id`,
      [[...serverIds]],
    )
    .options({ name: 'subnets of servers' })
  return new Map(rows.map(({ serverId, subnets }) => [serverId, subnets]))
}

/** Of one subnet. */
export async function addressesByRack(db: Db, subnetId: string): Promise<Map<string, number>> {
  const { rows } = await db.raw<{ rows: RackRow[] }>(
    `select h.rack, count(*)::int as ports from addresses a join ports p on p.id = a.port_id join hosts h on h.name = p.host
     where a.subnet_id = ? and h.rack is not null group by h.rack`,
    [subnetId],
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

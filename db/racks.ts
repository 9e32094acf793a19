/** How the addresses of subnets are spread over racks; racks without any are not in the maps. */
import type { Db } from './connect.ts'

interface RackRow {
  readonly rack: string
  readonly ports: number
}

function mapOf(rows: readonly RackRow[]): Map<string, number> {
  return new Map(rows.map(({ rack, ports }) => [rack, ports]))
}

/** The subnets in which a server has addresses. */
export async function subnetsOf(db: Db, serverId: string): Promise<readonly string[]> {
  const own = db('ports').where({ serverId }).select('id')
  const rows = await db('addresses')
    .whereIn('portId', own)
    .distinct('subnetId')
    .options({ name: 'subnets of a server' })
  return rows.map(({ subnetId }) => subnetId)
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

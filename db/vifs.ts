import type { Vif, VifAddress } from '../core/network.ts'
import type { Db } from './connect.ts'

interface VifRow {
  readonly portId: string
  readonly serverId: string
  readonly position: number
  readonly networkId: string
  readonly mac: string
  readonly mtu: number
  readonly vlan: number | null
  readonly addresses: readonly VifAddress[]
  readonly dns: readonly string[]
}

/** A network of a host's guests, with the gateway addresses that the host answers for. */
export interface HostNetwork {
  readonly networkId: string
  readonly vlan: number | null
  readonly mtu: number
  readonly gateways: readonly { readonly address: string; readonly prefixLength: number }[]
}

/** The ports of a server as they are to stand on its host, in the order of the NICs. */
export async function vifsOf(db: Db, serverId: string): Promise<readonly Vif[]> {
  const { rows } = await db.raw<{ rows: VifRow[] }>(
    `select p.id as port_id, p.server_id, p.position, p.network_id, p.mac::text as mac, n.mtu, n.vlan,
            coalesce(json_agg(json_build_object('address', host(a.address), 'prefixLength', masklen(s.cidr), 'gateway', host(s.gateway))
              order by family(a.address), a.address) filter (where a.address is not null), '[]') as addresses,
            coalesce((select json_agg(distinct d) from addresses x join subnets y on y.id = x.subnet_id, unnest(y.dns_servers) d
                      where x.port_id = p.id), '[]') as dns
     from ports p join networks n on n.id = p.network_id
     left join addresses a on a.port_id = p.id left join subnets s on s.id = a.subnet_id
     where p.server_id = ? group by p.id, n.id order by p.position, p.created_at`,
    [serverId],
  )
  return rows.map(({ portId, position, mac, mtu, vlan, addresses, dns }) => ({
    portId,
    serverId,
    mac,
    mtu,
    vlan,
    addresses,
    dns,
    device: `eth${position}`,
  }))
}

/** Every network that a server on this host has a port on. */
export async function networksOnHost(db: Db, host: string): Promise<readonly HostNetwork[]> {
  const { rows } = await db.raw<{ rows: HostNetwork[] }>(
    `select n.id as network_id, n.vlan, n.mtu,
            coalesce((select json_agg(json_build_object('address', host(s.gateway), 'prefixLength', masklen(s.cidr)) order by s.id)
                      from subnets s where s.network_id = n.id and s.gateway is not null), '[]') as gateways
     from networks n where exists (select from ports p join servers v on v.id = p.server_id
                                   where p.network_id = n.id and v.host = ? and v.deleted_at is null)
     order by n.id`,
    [host],
  )
  return rows
}

/** The ports of a server are what the host made of them. */
export async function setPortStatus(
  db: Db,
  serverId: string,
  status: 'BUILD' | 'ACTIVE' | 'DOWN' | 'ERROR',
): Promise<void> {
  await db('ports').where({ serverId }).whereRaw('status <> ?', [status]).update({ status, updatedAt: db.fn.now() })
}

/** Ports of servers on this host, and of servers that are on their way to it. */
export async function portIdsOnHost(db: Db, host: string): Promise<readonly string[]> {
  return await db('ports').where({ host }).whereNotNull('serverId').pluck('id')
}

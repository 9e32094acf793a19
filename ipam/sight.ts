/** A network as a host is to look at it, and as its rows have it. */
import type { AddressPair } from '../core/network.ts'
import type { Db } from '../db/connect.ts'

export interface NetworkOnWire {
  readonly vlan: number | null
  readonly mtu: number
}

export async function networkOnWire(db: Db, networkId: string): Promise<NetworkOnWire | null> {
  return (await db('networks').where({ id: networkId }).first('vlan', 'mtu')) ?? null
}

export async function portsOfNetwork(
  db: Db,
  networkId: string,
): Promise<readonly { readonly portId: string; readonly serverId: string | null }[]> {
  const rows = await db('ports').where({ networkId }).select('id', 'serverId')
  return rows.map(({ id, serverId }) => ({ portId: id, serverId }))
}

/** Those of these ids that no port has. */
export async function unknownPorts(db: Db, portIds: readonly string[]): Promise<readonly string[]> {
  const known = new Set<string>(
    await db('ports')
      .whereIn('id', [...portIds])
      .pluck('id'),
  )
  return portIds.filter((id) => !known.has(id))
}

/** More are not asked for in one look: some seconds, and no storm. */
const mostAsked = 4096

/** IPv4 addresses of the network's ranges, and those held outside of them; the lowest `mostAsked`. */
export async function askedAddresses(db: Db, networkId: string): Promise<readonly string[]> {
  const { rows } = await db.raw<{ rows: { address: string }[] }>(
    `select host(address) as address from (
       select a.address from addresses a join subnets s on s.id = a.subnet_id
         where s.network_id = :networkId and a.state <> 'free' and family(a.address) = 4
       union
       select i.first + g from ip_ranges i join subnets s on s.id = i.subnet_id
         cross join lateral generate_series(0, least(i.last - i.first, :most::bigint - 1)) g
         where s.network_id = :networkId and family(i.first) = 4
     ) asked order by asked.address limit :most`,
    { networkId, most: mostAsked },
  )
  return rows.map(({ address }) => address)
}

/** An address that is held, and how its holder is to stand. */
export interface HeldAddress {
  readonly address: string
  readonly subnetId: string
  readonly state: 'used' | 'reserved'
  readonly reservedFor: string | null
  readonly portId: string | null
  readonly mac: string | null
  readonly vlan: number | null
  readonly addressPairs: readonly AddressPair[]
  readonly serverId: string | null
  readonly serverName: string | null
  readonly host: string | null
  /** whether the port is to stand on its host now: the server lives, and nothing is being done to it */
  readonly isSettled: boolean
  /** why the holder cannot use it, or null */
  readonly stray: string | null
}

export async function heldAddresses(db: Db, networkId: string): Promise<readonly HeldAddress[]> {
  const { rows } = await db.raw<{ rows: HeldAddress[] }>(
    `select host(a.address) as address, a.subnet_id, a.state, a.reserved_for, a.port_id, p.mac::text as mac, n.vlan,
            coalesce(p.allowed_address_pairs, '[]') as address_pairs, s.id as server_id, s.name as server_name, s.host,
            coalesce(s.deleted_at is null and s.task_state is null and s.vm_state in ('active', 'paused', 'suspended', 'stopped')
                     and s.host is not null and s.host = p.host, false) as is_settled,
            case when a.state <> 'used' then null when p.id is null then 'there is no such port'
                 when p.network_id <> u.network_id then 'the port is in another network'
                 when s.deleted_at is not null then 'its server is deleted' end as stray
     from addresses a join subnets u on u.id = a.subnet_id join networks n on n.id = u.network_id
       left join ports p on p.id = a.port_id left join servers s on s.id = p.server_id
     where u.network_id = ? and a.state <> 'free' order by a.address`,
    [networkId],
  )
  return rows
}

/** Hosts on which servers with ports in the network stand; when there is none, one that is up: the wire is looked at from somewhere. */
export async function hostsOfNetwork(db: Db, networkId: string): Promise<readonly string[]> {
  const { rows } = await db.raw<{ rows: { host: string }[] }>(
    `select distinct s.host from ports p join servers s on s.id = p.server_id
     where p.network_id = ? and s.deleted_at is null and s.host is not null order by 1`,
    [networkId],
  )
  if (rows.length > 0) return rows.map(({ host }) => host)
  const latest = await db('hosts').orderBy('heartbeatAt', 'desc').first('name')
  return latest ? [latest.name] : []
}

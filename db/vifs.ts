import type { AddressPair, RateLimit, Vif, VifAddress } from '../core/network.ts'
import type { Db } from './connect.ts'

const bitsPerByte = 8

interface VifRow {
  readonly portId: string
  readonly serverId: string
  readonly mac: string
  readonly mtu: number
  readonly vlan: number | null
  readonly vni: number | null
  readonly addresses: readonly VifAddress[]
  readonly dns: readonly string[]
  readonly position: number
  readonly isUp: boolean
  readonly portSecurityEnabled: boolean
  readonly allowedAddressPairs: readonly AddressPair[]
  readonly groupIds: readonly string[]
  readonly extraSpecs: Readonly<Record<string, string>>
  /** of the port's QoS policy, or else of its network's; as the guest sees it */
  readonly qos: { readonly ingress?: RateLimit; readonly egress?: RateLimit }
}

const selectVifs = `
  select p.id as port_id, p.server_id, p.mac::text as mac, n.mtu, n.vlan, n.vni,
         coalesce(json_agg(json_build_object('address', host(a.address), 'prefixLength', masklen(s.cidr), 'gateway', host(s.gateway),
           'routes', s.host_routes) order by family(a.address), a.address) filter (where a.address is not null), '[]') as addresses,
         coalesce((select json_agg(distinct d) from addresses x join subnets y on y.id = x.subnet_id, unnest(y.dns_servers) d
                   where x.port_id = p.id), '[]') as dns,
         coalesce(p.position, 0) as position,
         p.admin_state_up and n.admin_state_up as is_up, p.port_security_enabled, p.allowed_address_pairs,
         array(select g.security_group_id::text from port_security_groups g where g.port_id = p.id order by 1) as group_ids,
         coalesce(v.flavor->'extraSpecs', '{}') as extra_specs,
         coalesce((select json_object_agg(q.direction, json_build_object('rate', q.max_kbps, 'burst', q.max_burst_kbps))
                   from qos_rules q where q.policy_id = coalesce(p.qos_policy_id, n.qos_policy_id)), '{}') as qos
  from ports p join networks n on n.id = p.network_id join servers v on v.id = p.server_id
  left join addresses a on a.port_id = p.id left join subnets s on s.id = a.subnet_id`

type Direction = 'inbound' | 'outbound'

/** A bucket of less than a tenth of a second starves TCP. */
function limit(rate: number, burst: number): RateLimit {
  return { rate: Math.round(rate), burst: Math.round(Math.max(rate / 10, burst > 0 ? burst : 0)) }
}

/**
 * Nova's limits of a flavor: average in kB/s, peak as much, burst in kB. The wire knows one rate: the average.
 * Source: nova documentation, "Extra Specs", quota.
 */
function flavorLimit({ extraSpecs }: VifRow, direction: Direction): RateLimit | null {
  const kilobytes = (what: string): number => Number(extraSpecs[`quota:vif_${direction}_${what}`] ?? Number.NaN)
  const rate = kilobytes('average') * bitsPerByte
  return rate > 0 ? limit(rate, kilobytes('burst') * bitsPerByte) : null
}

/** A rule of 0 kbit/s limits nothing: it says how large bursts may be, of what has no limit. */
function policyLimit({ qos }: VifRow, direction: Direction): RateLimit | null {
  const rule = direction === 'inbound' ? qos.ingress : qos.egress
  return rule && rule.rate > 0 ? limit(rule.rate, rule.burst) : null
}

/** Where flavor and policy both set one, the lower holds. */
function limitOf(row: VifRow, direction: Direction): RateLimit | null {
  const limits = [flavorLimit(row, direction), policyLimit(row, direction)].filter((one) => one !== null)
  return limits.toSorted((one, other) => one.rate - other.rate)[0] ?? null
}

function toVif(row: VifRow): Vif {
  const { portId, serverId, mac, mtu, vlan, vni, addresses, dns, position } = row
  const { isUp, groupIds, allowedAddressPairs: addressPairs } = row
  const security = row.portSecurityEnabled ? { groupIds, addressPairs } : null
  const limits = { inbound: limitOf(row, 'inbound'), outbound: limitOf(row, 'outbound') }
  return { portId, serverId, mac, mtu, vlan, vni, addresses, dns, device: `eth${position}`, isUp, security, ...limits }
}

/** A network of a host's guests, with the gateway addresses that the host answers for. */
export interface HostNetwork {
  readonly networkId: string
  readonly vlan: number | null
  readonly vni: number | null
  readonly mtu: number
  readonly gateways: readonly { readonly address: string; readonly prefixLength: number }[]
  /** whether an older network has addresses that are also this one's: their gateways must not meet */
  readonly isApart: boolean
}

/** The ports of a server as they are to stand on its host, in the order of the NICs. */
export async function vifsOf(db: Db, serverId: string): Promise<readonly Vif[]> {
  const { rows } = await db.raw<{ rows: VifRow[] }>(
    `${selectVifs} where p.server_id = ? group by p.id, n.id, v.id order by p.position, p.created_at`,
    [serverId],
  )
  return rows.map(toVif)
}

/** The port as it is to stand on its host; null when no server has it. */
export async function vifOfPort(db: Db, portId: string): Promise<Vif | null> {
  const { rows } = await db.raw<{ rows: VifRow[] }>(`${selectVifs} where p.id = ? group by p.id, n.id, v.id`, [portId])
  return rows.map(toVif)[0] ?? null
}

/** Those of all servers on a host. */
export async function vifsOnHost(db: Db, host: string): Promise<readonly Vif[]> {
  const { rows } = await db.raw<{ rows: VifRow[] }>(
    `${selectVifs} where v.host = ? and v.deleted_at is null group by p.id, n.id, v.id order by p.id`,
    [host],
  )
  return rows.map(toVif)
}

/** Every network that a server on this host has a port on. */
export async function networksInUse(db: Db, host: string | null): Promise<readonly HostNetwork[]> {
  const { rows } = await db.raw<{ rows: HostNetwork[] }>(
    `select n.id as network_id, n.vlan, n.vni, n.mtu,
            coalesce((select json_agg(json_build_object('address', host(s.gateway), 'prefixLength', masklen(s.cidr)) order by s.id)
                      from subnets s where s.network_id = n.id and s.gateway is not null), '[]') as gateways,
            exists (select from subnets mine join subnets theirs on mine.cidr && theirs.cidr join networks o on o.id = theirs.network_id
                    where mine.network_id = n.id and mine.gateway is not null and theirs.gateway is not null
                      and (o.created_at, o.id) < (n.created_at, n.id)) as is_apart
     from networks n where exists (select from ports p join servers v on v.id = p.server_id
                                   where p.network_id = n.id and v.deleted_at is null
                                     and v.host = coalesce(:host, v.host))
     order by n.id`,
    { host },
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

export async function serverIdOfPort(db: Db, portId: string): Promise<string | null> {
  return (await db('ports').where({ id: portId }).first('serverId'))?.serverId ?? null
}

/** Servers with all that a user is shown of them, in one statement however many they are. */
import type { Db } from './connect.ts'
import { silentSecondsAllowed, type HostStatus } from './host-status.ts'
import { readPage, serversOn, type ServerFilter } from './server-list.ts'
import type { ServerRow } from './tables.ts'

const columns = [
  'id',
  'projectId',
  'userId',
  'name',
  'hostname',
  'description',
  'vmState',
  'taskState',
  'powerState',
  'host',
  'availabilityZone',
  'flavor',
  'imageId',
  'keyName',
  'userData',
  'metadata',
  'configDrive',
  'accessIpv4',
  'accessIpv6',
  'tags',
  'lockedBy',
  'lockedReason',
  'reservationId',
  'launchIndex',
  'launchedAt',
  'terminatedAt',
  'createdAt',
  'updatedAt',
  'deletedAt',
  'pinnedZone',
  'diskConfig',
  'serverGroupId',
] as const satisfies readonly (keyof ServerRow)[]

/** An address of a server, with the network it is shown under. */
export interface ServerAddress {
  readonly networkName: string
  readonly address: string
  readonly mac: string
}

export interface ShownFault {
  readonly code: number
  readonly message: string
  readonly details: string
  /** such as '2020-01-01T00:00:00Z' */
  readonly created: string
}

export interface ShownServer extends Pick<ServerRow, (typeof columns)[number]> {
  /** in the order of the NICs; IPv4 before IPv6 */
  readonly addresses: readonly ServerAddress[]
  /** names of the groups on its ports */
  readonly securityGroups: readonly string[]
  /** the last one, of a server in error or deleted */
  readonly fault: ShownFault | null
  /** '' = it has no host */
  readonly hostStatus: HostStatus | ''
}

const parts = `
  (select coalesce(json_agg(json_build_object('networkName', n.name, 'address', host(a.address), 'mac', p.mac)
                            order by p.position, family(a.address), a.address), '[]')
   from ports p join networks n on n.id = p.network_id join addresses a on a.port_id = p.id
   where p.server_id = servers.id) as addresses,
  (select coalesce(json_agg(distinct g.name order by g.name), '[]')
   from ports p join port_security_groups x on x.port_id = p.id join security_groups g on g.id = x.security_group_id
   where p.server_id = servers.id) as security_groups,
  case when servers.vm_state in ('error', 'deleted') then
    (select json_build_object('code', f.code, 'message', f.message, 'details', f.details,
                              'created', to_char(f.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
     from faults f where f.server_id = servers.id order by f.id desc limit 1) end as fault,
  case when servers.host is null then '' else coalesce(
    (select case when h.is_forced_down then 'DOWN'
                 when now() - h.heartbeat_at > interval '${silentSecondsAllowed} seconds' then 'UNKNOWN'
                 when not h.is_enabled then 'MAINTENANCE' else 'UP' end
     from hosts h where h.name = servers.host), 'UNKNOWN') end as host_status`

/** Also of a deleted server; null when there never was one. */
export async function findShown(db: Db, id: string): Promise<ShownServer | null> {
  const [row] = await db('servers')
    .where({ id })
    .select<ShownServer[]>([...columns, db.raw(parts)])
    .options({ name: 'a server shown' })
  return row ?? null
}

/** One page of servers. @throws Invalid when `name`, `ip` or `ip6` of the filter is no regular expression */
export async function listShown(db: Db, filter: ServerFilter): Promise<readonly ShownServer[]> {
  return await readPage(serversOn(db, filter).select<ShownServer[]>([...columns, db.raw(parts)]))
}

/** Servers with all that a user is shown of them, in one statement however many they are. */
import { snakeCase, type Db } from './connect.ts'
import { silentSecondsAllowed, type HostStatus } from './host-status.ts'
import { readPage, serversOn, type ServerPage } from './server-list.ts'
import type { ServerRow } from './tables.ts'

/** As they are. */
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
  'pinnedZone',
  'diskConfig',
  'serverGroupId',
] as const satisfies readonly (keyof ServerRow)[]

/** Told as text, such as '2020-01-01 00:00:00.123456', in UTC: a page has four thousand of them, and nobody reckons with them. */
const times = ['launchedAt', 'terminatedAt', 'createdAt', 'updatedAt', 'deletedAt'] as const

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
  readonly createdAt: string
  readonly updatedAt: string
  readonly launchedAt: string | null
  readonly terminatedAt: string | null
  readonly deletedAt: string | null
  /** opaque to users, the same for servers of one project on one host; '' = it has no host */
  readonly hostDigest: string
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
   where p.server_id = servers.id) as "securityGroups",
  case when servers.vm_state in ('error', 'deleted') then
    (select json_build_object('code', f.code, 'message', f.message, 'details', f.details,
                              'created', to_char(f.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
     from faults f where f.server_id = servers.id order by f.id desc limit 1) end as fault,
  case when servers.host is null then '' else coalesce(
    (select case when h.is_forced_down then 'DOWN'
                 when now() - h.heartbeat_at > interval '${silentSecondsAllowed} seconds' then 'UNKNOWN'
                 when not h.is_enabled then 'MAINTENANCE' else 'UP' end
     from hosts h where h.name = servers.host), 'UNKNOWN') end as "hostStatus",
  case when servers.host is null then ''
       else encode(sha224(convert_to(servers.project_id || servers.host, 'UTF8')), 'hex') end as "hostDigest"`

/** Under the names of the record, so that no row need be written anew. */
const shown = [
  ...columns.map((column) => `servers.${snakeCase(column)} as "${column}"`),
  ...times.map((column) => `(servers.${snakeCase(column)} at time zone 'UTC')::text as "${column}"`),
  parts,
].join(', ')

/** Also of a deleted server; null when there never was one. */
export async function findShown(db: Db, id: string): Promise<ShownServer | null> {
  const { rows } = await db
    .raw<{ rows: ShownServer[] }>(`select ${shown} from servers where id = ?`, [id])
    .options({ name: 'a server shown' })
  return rows[0] ?? null
}

/** One page of servers. @throws Invalid when `name`, `ip` or `ip6` of the filter is no regular expression */
export async function listShown(db: Db, filter: ServerPage): Promise<readonly ShownServer[]> {
  return await readPage(serversOn(db, filter).select<ShownServer[]>(db.raw(shown)))
}

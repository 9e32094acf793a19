/** New servers with all that comes with them, in one statement however many they are. */
import type { JobPayload } from '../core/jobs.ts'
import type { Server } from '../core/server.ts'
import type { NewAction } from './actions.ts'
import { rowsOf, type Transaction } from './connect.ts'
import { usualPort, type NewPort } from './ports.ts'

export type NewServer = Pick<
  Server,
  | 'id'
  | 'projectId'
  | 'userId'
  | 'name'
  | 'hostname'
  | 'description'
  | 'flavor'
  | 'imageId'
  | 'imageReference'
  | 'keyName'
  | 'publicKey'
  | 'userData'
  | 'metadata'
  | 'configDrive'
  | 'availabilityZone'
  | 'pinnedZone'
  | 'requestedHost'
  | 'hints'
  | 'diskConfig'
  | 'serverGroupId'
  | 'reservationId'
  | 'launchIndex'
  | 'accessIpv4'
  | 'accessIpv6'
  | 'tags'
>

/** A port of a new server's, on the subnets that give it an address each: one of each family. */
export interface WiredPort {
  readonly port: NewPort
  readonly securityGroupIds: readonly string[]
  readonly subnetIds: readonly string[]
  /** what is reserved for it is its to take */
  readonly serverName: string | null
}

/** All rows of a create, for one statement. */
export interface NewServers {
  readonly servers: readonly NewServer[]
  readonly ports: readonly WiredPort[]
  readonly actions: readonly NewAction[]
  /** for a scheduler to run */
  readonly jobs: readonly JobPayload<'schedule'>[]
}

/** What became of the ports: the caller makes those again that are not there, and gives addresses where none was free. */
export interface Wired {
  /** without those whose MAC address another port has */
  readonly ports: ReadonlySet<string>
  /** those among them to which a subnet had no address to give */
  readonly unaddressed: readonly { readonly portId: string; readonly subnetId: string }[]
}

const serverColumns = `id, project_id, user_id, name, hostname, description, vm_state, task_state, flavor, image_id, image_reference,
  key_name, public_key, user_data, metadata, config_drive, availability_zone, pinned_zone, requested_host, hints, disk_config,
  server_group_id, reservation_id, launch_index, access_ipv4, access_ipv6, tags`
const portColumns = `id, network_id, project_id, name, description, mac, admin_state_up, device_id, device_owner, server_id, position,
  is_owned_by_server, port_security_enabled, dns_name, device_tag, host, status, qos_policy_id`
const actionColumns = 'server_id, request_id, action, user_id, project_id, message'

/** The addresses are taken in the order of the ports. Source of what a function sees of its statement: PostgreSQL manual, 36.7 */
const inserting = `
  with made as (
    insert into servers (${serverColumns}) select ${serverColumns} from json_populate_recordset(null::servers, :newServers)
  ), wired as (
    insert into ports (${portColumns}) select ${portColumns} from json_populate_recordset(null::ports, :newPorts)
    on conflict (mac) do nothing returning id
  ), grouped as (
    insert into port_security_groups (port_id, security_group_id)
    select id, g.security_group_id from json_to_recordset(:groups) g (port_id uuid, security_group_id uuid) join wired on id = g.port_id
  ), acted as (
    insert into server_actions (${actionColumns}) select ${actionColumns} from json_populate_recordset(null::server_actions, :actions)
  ), queued as (
    select graphile_worker.add_job('schedule', payload, max_attempts => 25) as job from json_array_elements(:jobs) payload
  ), addressed as (
    select w.port_id, w.subnet_id, allocate_address(w.subnet_id, w.port_id, w.name) as address
    from json_to_recordset(:wishes) w (place int, port_id uuid, subnet_id uuid, name text) join wired on id = w.port_id order by w.place
  )
  select array(select id::text from wired) as ports, (select count(job) from queued) as jobs,
         (select coalesce(json_agg(json_build_object('portId', port_id, 'subnetId', subnet_id)), '[]')
          from addressed where address is null) as unaddressed`

/** The servers wait for a host: building, task 'scheduling'. */
export async function insertServers(trx: Transaction, { servers, ports, actions, jobs }: NewServers): Promise<Wired> {
  const wishes = ports.flatMap(({ port, subnetIds, serverName: name }) =>
    subnetIds.map((subnetId) => ({ portId: port.id, subnetId, name })),
  )
  const groups = ports.flatMap(({ port, securityGroupIds }) =>
    securityGroupIds.map((securityGroupId) => ({ portId: port.id, securityGroupId })),
  )
  const { rows } = await trx
    .raw<{ rows: { ports: string[]; unaddressed: Wired['unaddressed'] }[] }>(inserting, {
      newServers: rowsOf(servers.map((server) => ({ ...server, vmState: 'building', taskState: 'scheduling' }))),
      newPorts: rowsOf(ports.map(({ port }) => ({ ...usualPort, ...port }))),
      groups: rowsOf(groups),
      actions: rowsOf(actions),
      jobs: JSON.stringify(jobs),
      wishes: rowsOf(wishes.map((wish, place) => ({ ...wish, place }))),
    })
    .options({ name: 'new servers' })
  const [made] = rows
  return { ports: new Set(made?.ports), unaddressed: made?.unaddressed ?? [] }
}

/** Rows that contradict each other: each statement names what should not be. Used by the audit. */
import type { TaskState } from '../core/states.ts'
import type { Db } from './connect.ts'

/** One address of one network on several ports. */
export interface SharedAddress {
  readonly networkId: string
  readonly address: string
  readonly portIds: readonly string[]
}

/** Also across subnets that overlap, which the primary key of `addresses` does not see. */
export async function sharedAddresses(db: Db): Promise<readonly SharedAddress[]> {
  const { rows } = await db.raw<{ rows: SharedAddress[] }>(
    `select s.network_id, host(a.address) as address, array_agg(a.port_id::text order by a.port_id) as port_ids
     from addresses a join subnets s on s.id = a.subnet_id where a.state = 'used'
     group by s.network_id, a.address having count(*) > 1`,
  )
  return rows
}

/** A used address whose port cannot use it. */
export interface StrayAddress {
  readonly subnetId: string
  readonly address: string
  readonly portId: string
  readonly reason: string
}

export async function strayAddresses(db: Db): Promise<readonly StrayAddress[]> {
  const { rows } = await db.raw<{ rows: StrayAddress[] }>(
    `select a.subnet_id, host(a.address) as address, a.port_id,
            case when p.id is null then 'there is no such port' else 'the port is in another network' end as reason
     from addresses a join subnets s on s.id = a.subnet_id left join ports p on p.id = a.port_id
     where a.state = 'used' and (p.id is null or p.network_id <> s.network_id)`,
  )
  return rows
}

/** A port that is bound to a server which does not have it. */
export interface StrayPort {
  readonly portId: string
  readonly serverId: string
  readonly reason: string
}

export async function strayPorts(db: Db): Promise<readonly StrayPort[]> {
  const { rows } = await db.raw<{ rows: StrayPort[] }>(
    `select p.id as port_id, s.id as server_id,
            case when s.deleted_at is not null then 'the server is deleted'
                 else 'the port is bound to host ' || coalesce(p.host, '-') || ', the server to ' || coalesce(s.host, '-') end as reason
     from ports p join servers s on s.id = p.server_id
     where s.deleted_at is not null or (s.task_state is null and p.host is distinct from s.host)`,
  )
  return rows
}

/** A place on a host that is promised to a server which does not stand there. */
export interface StrayClaim {
  readonly serverId: string
  readonly host: string
  readonly reason: string
}

/** While a task runs, and until a resize is confirmed, a server may hold a place on two hosts. */
export async function strayClaims(db: Db): Promise<readonly StrayClaim[]> {
  const { rows } = await db.raw<{ rows: StrayClaim[] }>(
    `select a.server_id, a.host,
            case when s.deleted_at is not null then 'the server is deleted'
                 else 'the server is on ' || coalesce(s.host, 'no host') end as reason
     from allocations a join servers s on s.id = a.server_id
     where s.deleted_at is not null
        or (s.task_state is null and s.vm_state <> 'resized' and a.host is distinct from s.host)`,
  )
  return rows
}

/** Hosts whose books are not the sum of their claims, which a trigger keeps. */
export async function wrongBooks(db: Db): Promise<readonly string[]> {
  const { rows } = await db.raw<{ rows: { name: string }[] }>(
    `select h.name from hosts h left join lateral (
       select coalesce(sum(vcpus), 0) as vcpus, coalesce(sum(memory_mib), 0) as memory_mib,
              coalesce(sum(disk_gib), 0) as disk_gib, count(*) as servers
       from allocations where host = h.name) a on true
     where (h.used_vcpus, h.used_memory_mib, h.used_disk_gib, h.servers) <> (a.vcpus, a.memory_mib, a.disk_gib, a.servers)`,
  )
  return rows.map(({ name }) => name)
}

/** The books of a host are the sum of its claims again; claims wait meanwhile. */
export async function mendBooks(db: Db, host: string): Promise<void> {
  await db.transaction(async (trx) => {
    await trx('hosts').where({ name: host }).forUpdate().select('name')
    await trx.raw(
      `update hosts h set used_vcpus = a.vcpus, used_memory_mib = a.memory_mib, used_disk_gib = a.disk_gib, servers = a.servers
       from (select coalesce(sum(vcpus), 0) as vcpus, coalesce(sum(memory_mib), 0) as memory_mib,
                    coalesce(sum(disk_gib), 0) as disk_gib, count(*) as servers from allocations where host = ?) a
       where h.name = ?`,
      [host, host],
    )
  })
}

/** Servers that stand on a host where no place is promised to them. */
export async function unclaimedServers(
  db: Db,
): Promise<readonly { readonly serverId: string; readonly host: string }[]> {
  const { rows } = await db.raw<{ rows: { serverId: string; host: string }[] }>(
    `select s.id as server_id, s.host from servers s
     where s.deleted_at is null and s.task_state is null and s.host is not null and s.vm_state <> 'shelved_offloaded'
       and not exists (select from allocations a where a.server_id = s.id and a.host = s.host)`,
  )
  return rows
}

/** What a job began to record and nobody ended. */
export interface OpenEvent {
  readonly eventId: number
  readonly serverId: string
  readonly requestId: string
  readonly event: string
}

/** Only of servers that no task is running on: a running one ends its event itself. */
export async function openEvents(db: Db): Promise<readonly OpenEvent[]> {
  const { rows } = await db.raw<{ rows: OpenEvent[] }>(
    `select e.id as event_id, a.server_id, a.request_id, e.event
     from server_action_events e join server_actions a on a.id = e.action_id join servers s on s.id = a.server_id
     where e.finished_at is null and s.task_state is null order by e.id`,
  )
  return rows
}

/** The event ended without a word of its job. */
export async function closeEvent(db: Db, eventId: number): Promise<void> {
  await db('server_action_events')
    .where({ id: eventId })
    .whereNull('finishedAt')
    .update({ finishedAt: db.fn.now(), result: 'Error', details: 'Its job ended without telling how.' })
}

/** A request that was acknowledged, and of which nothing is seen. */
export interface SilentRequest {
  readonly serverId: string
  readonly requestId: string
  readonly action: string
}

/** Requests of changes that an agent carries out, a minute old: no event, no fault since, and no task that still waits. */
export async function silentRequests(db: Db): Promise<readonly SilentRequest[]> {
  const { rows } = await db.raw<{ rows: SilentRequest[] }>(
    `select a.server_id, a.request_id, a.action from server_actions a join servers s on s.id = a.server_id
     where a.action in ('create', 'start', 'stop', 'reboot', 'delete') and a.started_at < now() - interval '1 minute'
       and s.deleted_at is null and s.task_state is null
       and not exists (select from server_action_events e where e.action_id = a.id)
       -- A hard reboot overtakes a soft one that still waits, a delete all.
       and not exists (select from server_actions l join server_action_events e on e.action_id = l.id
                       where l.server_id = a.server_id and l.id > a.id and l.action in (a.action, 'delete'))
       and not exists (select from faults f where f.server_id = s.id and f.created_at >= a.started_at)
     order by a.id`,
  )
  return rows
}

/** A host whose agent is silent, or says that something is wrong. */
export async function ailingHosts(db: Db): Promise<readonly { readonly host: string; readonly reason: string }[]> {
  const { rows } = await db.raw<{ rows: { host: string; reason: string }[] }>(
    `select name as host, case when heartbeat_at < now() - interval '1 minute'
                               then 'its agent has been silent since ' || to_char(heartbeat_at, 'YYYY-MM-DD HH24:MI:SS')
                               else problem end as reason
     from hosts where is_enabled and (heartbeat_at < now() - interval '1 minute' or problem is not null)`,
  )
  return rows
}

/** A server's task and how long it has lasted. */
export interface RunningTask {
  readonly serverId: string
  readonly taskState: TaskState
  readonly seconds: number
}

export async function runningTasks(db: Db): Promise<readonly RunningTask[]> {
  const { rows } = await db.raw<{ rows: RunningTask[] }>(
    `select id as server_id, task_state, extract(epoch from now() - updated_at)::int as seconds
     from servers where deleted_at is null and task_state is not null`,
  )
  return rows
}

/** An image of a server's disk that nobody works on. */
export interface AbandonedImage {
  readonly imageId: string
  readonly serverId: string
  readonly status: 'queued' | 'saving'
}

/** The task is looked at as a whole: a server does one thing at a time. */
export async function abandonedImages(db: Db): Promise<readonly AbandonedImage[]> {
  const { rows } = await db.raw<{ rows: AbandonedImage[] }>(
    `select i.id as image_id, s.id as server_id, i.status
     from images i join servers s on s.id = i.server_id
     where i.status in ('queued', 'saving') and (s.deleted_at is not null or s.task_state is null)`,
  )
  return rows
}

/** An image that servers can be made of, and what of the registry it refers to. */
export interface ImageReference {
  readonly imageId: string
  readonly name: string
  readonly reference: string
}

export async function imageReferences(db: Db): Promise<readonly ImageReference[]> {
  const { rows } = await db.raw<{ rows: ImageReference[] }>(
    `select id as image_id, name, reference from images
     where status in ('active', 'deactivated') and reference is not null order by created_at, id`,
  )
  return rows
}

import { randomUUID } from 'node:crypto'
import { Conflict, NotFound } from '../core/errors.ts'
import type { HostLimits } from '../core/host.ts'
import type { Db, Transaction } from './connect.ts'
import type { HostRow } from './tables.ts'

/** What an agent says of its host when it starts. */
export interface HostReport extends HostLimits {
  readonly name: string
  readonly vcpus: number
  readonly memoryMiB: number
  readonly diskGiB: number
  readonly rack: string | null
  readonly hypervisorType: string
  readonly hypervisorVersion: string
  readonly traits: Readonly<Record<string, unknown>>
  readonly agentUrl: string
  readonly agentToken: string
  /** host:port at which other agents read the disks of its guests; absent = nowhere */
  readonly diskAddress?: string
}

/** The limits that count: those of the agent's settings, but where an operator has set others. */
const settleLimits = `
  update hosts set
    cpu_ratio = coalesce((told.limits->>'cpuRatio')::real, cpu_ratio),
    memory_ratio = coalesce((told.limits->>'memoryRatio')::real, memory_ratio),
    disk_ratio = coalesce((told.limits->>'diskRatio')::real, disk_ratio),
    reserved_vcpus = coalesce((told.limits->>'reservedVcpus')::int, reserved_vcpus),
    reserved_memory_mib = coalesce((told.limits->>'reservedMemoryMiB')::int, reserved_memory_mib),
    reserved_disk_gib = coalesce((told.limits->>'reservedDiskGiB')::int, reserved_disk_gib)
  from (select name as host, own_limits || set_limits as limits from hosts) told
  where told.host = hosts.name and hosts.name = ?`

/** The host is known and alive, with this capacity; whether it is enabled, and what an operator has set, stays as it was. */
export async function registerHost(db: Db, report: HostReport): Promise<void> {
  const { cpuRatio, memoryRatio, diskRatio, reservedVcpus, reservedMemoryMiB, reservedDiskGiB } = report
  const ownLimits = { cpuRatio, memoryRatio, diskRatio, reservedVcpus, reservedMemoryMiB, reservedDiskGiB }
  await db.transaction(async (trx) => {
    const { rack, ...row } = { ...report, ownLimits, startedAt: trx.fn.now(), heartbeatAt: trx.fn.now() }
    await trx('hosts')
      .insert({ id: randomUUID(), ...row, rack })
      .onConflict('name')
      .merge({ ...row, problem: null, ...(rack === null ? {} : { rack }) })
    await trx.raw(settleLimits, [report.name])
  })
}

/** What an operator sets of a host; null takes a limit back to that of the agent's settings. */
export interface HostSettings {
  readonly limits?: Partial<Readonly<Record<keyof HostLimits, number | null>>>
  readonly rack?: string | null
  readonly traits?: readonly string[]
}

/** @throws NotFound */
export async function setHost(trx: Transaction, name: string, { limits, rack, traits }: HostSettings): Promise<void> {
  const change = {
    ...(rack === undefined ? {} : { rack }),
    ...(traits === undefined ? {} : { setTraits: [...traits] }),
    ...(limits === undefined
      ? {}
      : { setLimits: trx.raw('jsonb_strip_nulls(set_limits || ?::jsonb)', [JSON.stringify(limits)]) }),
  }
  if (Object.keys(change).length === 0) return
  if ((await trx('hosts').where({ name }).update(change)) === 0) throw new NotFound('Host', name)
  if (limits !== undefined) await trx.raw(settleLimits, [name])
}

/** How busy a host is, by its kernel. */
export interface HostLoad {
  /** runnable threads of the last minute, per CPU */
  readonly loadPerCpu: number
  readonly availableMemoryMiB: number
}

/** A sign of life, with what is wrong on the host if anything is. */
export async function heartbeat(db: Db, name: string, problem: string | null, load?: HostLoad): Promise<void> {
  await db('hosts')
    .where({ name })
    .update({ heartbeatAt: db.fn.now(), problem, ...load })
}

/** What an aggregate says of its hosts. */
export interface HostAggregate {
  readonly name: string
  readonly metadata: Readonly<Record<string, string>>
}

/** A host with what is already promised on it, and the aggregates that it is in. */
export interface HostUse extends HostRow {
  readonly silentSeconds: number
  readonly aggregates: readonly HostAggregate[]
}

export async function hostsWithUse(db: Db): Promise<readonly HostUse[]> {
  const { rows } = await db.raw<{ rows: HostUse[] }>(`
    select h.*, extract(epoch from now() - h.heartbeat_at)::float as silent_seconds, coalesce(
             (select json_agg(json_build_object('name', a.name, 'metadata', a.metadata) order by a.name)
              from aggregate_hosts m join aggregates a on a.id = m.aggregate_id where m.host = h.name), '[]') as aggregates
    from hosts h order by h.name`)
  return rows
}

/** A server's share of a host. */
export interface Claim {
  readonly serverId: string
  readonly host: string
  readonly vcpus: number
  readonly memoryMiB: number
  readonly diskGiB: number
}

/** Of host `h`: it takes servers, tells of no trouble, and what it may still be promised is at least as much as `w` wants. */
export const claimable = `h.is_enabled and not h.is_forced_down and h.problem is null
       and h.used_vcpus + w.vcpus <= (h.vcpus - h.reserved_vcpus) * h.cpu_ratio
       and h.used_memory_mib + w.memory_mib <= (h.memory_mib - h.reserved_memory_mib) * h.memory_ratio
       and h.used_disk_gib + w.disk_gib <= (h.disk_gib - h.reserved_disk_gib) * h.disk_ratio`

/**
 * Promises a place on a host, in one guarded statement: the host's row is locked, and what is asked of it is asked again of the row as
 * it is then (PostgreSQL manual, 13.2.1), with the sums that a trigger keeps. Two schedulers never hand out the same place.
 *
 * @returns false when it does not fit any more, or the host takes no servers
 */
export async function claim(trx: Transaction, wanted: Claim): Promise<boolean> {
  const { rowCount } = await trx.raw<{ rowCount: number }>(
    `insert into allocations (server_id, host, vcpus, memory_mib, disk_gib)
     select :serverId, h.name, w.vcpus, w.memory_mib, w.disk_gib
     from hosts h, (select :vcpus::int as vcpus, :memoryMiB::int as memory_mib, :diskGiB::int as disk_gib) w
     where h.name = :host and ${claimable}
     for no key update of h
     on conflict (server_id, host) do nothing`,
    { ...wanted },
  )
  return rowCount === 1
}

/**
 * A server that has a place on the host is to have this much there, or as much as it has if that is more.
 *
 * @returns false when the host has no room for the difference
 */
export async function widenClaim(trx: Transaction, wanted: Claim): Promise<boolean> {
  await trx('hosts').where({ name: wanted.host }).forUpdate().select('name')
  const { rowCount } = await trx.raw<{ rowCount: number }>(
    `update allocations a set vcpus = greatest(a.vcpus, :vcpus), memory_mib = greatest(a.memory_mib, :memoryMiB),
                              disk_gib = greatest(a.disk_gib, :diskGiB)
     from hosts h
     where h.name = :host and a.host = h.name and a.server_id = :serverId
       and (:vcpus <= a.vcpus or h.used_vcpus - a.vcpus + :vcpus <= (h.vcpus - h.reserved_vcpus) * h.cpu_ratio)
       and (:memoryMiB <= a.memory_mib or h.used_memory_mib - a.memory_mib + :memoryMiB
              <= (h.memory_mib - h.reserved_memory_mib) * h.memory_ratio)
       and (:diskGiB <= a.disk_gib or h.used_disk_gib - a.disk_gib + :diskGiB
              <= (h.disk_gib - h.reserved_disk_gib) * h.disk_ratio)`,
    { ...wanted },
  )
  return rowCount === 1
}

/** The place of a server on its host is as large as this again. */
export async function settleClaim(trx: Transaction, { serverId, host, ...size }: Claim): Promise<void> {
  await trx('allocations').where({ serverId, host }).update(size)
}

export async function releaseClaims(trx: Transaction, serverId: string): Promise<void> {
  await trx('allocations').where({ serverId }).delete()
}

/** The place on one host is free again. */
export async function releaseClaim(db: Db, serverId: string, host: string): Promise<void> {
  await db('allocations').where({ serverId, host }).delete()
}

export async function hostExists(db: Db, name: string): Promise<boolean> {
  return (await db('hosts').where({ name }).first('name')) !== undefined
}

/** null = there is no such host */
export async function zoneOf(db: Db, name: string): Promise<string | null> {
  return (await db('hosts').where({ name }).first('zone'))?.zone ?? null
}

/** What administrators decide of a host. */
export type HostWish = Partial<Pick<HostRow, 'isEnabled' | 'disabledAs' | 'disabledReason' | 'isForcedDown'>>

/** @throws NotFound */
export async function changeHost(db: Db, name: string, wish: HostWish): Promise<void> {
  const why = wish.isForcedDown === undefined ? {} : { forcedDownReason: null }
  if (
    (await db('hosts')
      .where({ name })
      .update({ ...wish, ...why })) === 0
  )
    throw new NotFound('Host', name)
}

/** The host is known no more, until its agent says otherwise; nobody is left for its jobs. @throws Conflict when servers stand on it; NotFound */
export async function deleteHost(trx: Transaction, name: string): Promise<void> {
  await trx('hosts').where({ name }).forUpdate().select('name')
  const server = await trx('servers').where({ host: name }).whereNull('deletedAt').first('id')
  const claimed = await trx('allocations').where({ host: name }).first('serverId')
  if (server || claimed)
    throw new Conflict(
      'Unable to delete compute service that is hosting instances. Migrate or delete the instances first.',
    )
  if ((await trx('hosts').where({ name }).delete()) === 0) throw new NotFound('Host', name)
  await trx.raw(
    `delete from graphile_worker._private_jobs j using graphile_worker._private_tasks t
     where t.id = j.task_id and starts_with(t.identifier, ?)`,
    [`${name}/`],
  )
}

/** What the servers of one project take on a host. */
export interface ProjectOnHost {
  readonly projectId: string
  readonly vcpus: number
  readonly memoryMiB: number
  readonly diskGiB: number
}

export async function projectsOnHost(db: Db, host: string): Promise<readonly ProjectOnHost[]> {
  const { rows } = await db.raw<{ rows: ProjectOnHost[] }>(
    `select project_id, sum((flavor->>'vcpus')::int)::int as vcpus, sum((flavor->>'memoryMiB')::int)::int as memory_mib,
            sum((flavor->>'diskGiB')::int + coalesce((flavor->>'ephemeralGiB')::int, 0))::int as disk_gib
     from servers where host = ? and deleted_at is null group by project_id order by project_id`,
    [host],
  )
  return rows
}

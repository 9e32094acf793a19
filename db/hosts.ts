import { randomUUID } from 'node:crypto'
import { Conflict, NotFound } from '../core/errors.ts'
import type { Db, Transaction } from './connect.ts'
import type { HostRow } from './tables.ts'

export interface HostReport {
  readonly name: string
  readonly vcpus: number
  readonly memoryMiB: number
  readonly diskGiB: number
  readonly cpuRatio: number
  readonly memoryRatio: number
  readonly diskRatio: number
  readonly reservedMemoryMiB: number
  readonly hypervisorType: string
  readonly hypervisorVersion: string
  readonly traits: Readonly<Record<string, unknown>>
  readonly agentUrl: string
  readonly agentToken: string
}

/** The host is known and alive, with this capacity; whether it is enabled stays as it was. */
export async function registerHost(db: Db, report: HostReport): Promise<HostRow> {
  const [row] = await db('hosts')
    .insert({ id: randomUUID(), ...report, traits: report.traits, startedAt: db.fn.now(), heartbeatAt: db.fn.now() })
    .onConflict('name')
    .merge({ ...report, startedAt: db.fn.now(), heartbeatAt: db.fn.now(), problem: null })
    .returning('*')
  if (!row) throw new Error(`host ${report.name} was not registered`)
  return row
}

/** A sign of life, with what is wrong on the host if anything is. */
export async function heartbeat(db: Db, name: string, problem: string | null): Promise<void> {
  await db('hosts').where({ name }).update({ heartbeatAt: db.fn.now(), problem })
}

/** A host with what is already promised on it. */
export interface HostUse extends HostRow {
  readonly usedVcpus: number
  readonly usedMemoryMiB: number
  readonly usedDiskGiB: number
  readonly servers: number
  readonly silentSeconds: number
}

export async function hostsWithUse(db: Db): Promise<readonly HostUse[]> {
  const { rows } = await db.raw<{ rows: HostUse[] }>(`
    select h.*, extract(epoch from now() - h.heartbeat_at)::float as silent_seconds,
           coalesce(sum(a.vcpus), 0)::int as used_vcpus, coalesce(sum(a.memory_mib), 0)::int as used_memory_mib,
           coalesce(sum(a.disk_gib), 0)::int as used_disk_gib, count(a.server_id)::int as servers
    from hosts h left join allocations a on a.host = h.name group by h.name order by h.name`)
  return rows
}

export interface Claim {
  readonly serverId: string
  readonly host: string
  readonly vcpus: number
  readonly memoryMiB: number
  readonly diskGiB: number
}

/**
 * Promises a place on a host. The host's row is locked first, so that the sum is that of all claims before this one:
 * two schedulers never hand out the same place.
 *
 * @returns false when it does not fit any more
 */
export async function claim(trx: Transaction, wanted: Claim): Promise<boolean> {
  await trx('hosts').where({ name: wanted.host }).forUpdate().select('name')
  const { rowCount } = await trx.raw<{ rowCount: number }>(
    `insert into allocations (server_id, host, vcpus, memory_mib, disk_gib)
     select :serverId, h.name, :vcpus, :memoryMiB, :diskGiB from hosts h
     left join lateral (select coalesce(sum(vcpus), 0) as vcpus, coalesce(sum(memory_mib), 0) as memory_mib,
                               coalesce(sum(disk_gib), 0) as disk_gib from allocations where host = h.name) used on true
     where h.name = :host and h.is_enabled
       and used.vcpus + :vcpus <= h.vcpus * h.cpu_ratio
       and used.memory_mib + :memoryMiB <= (h.memory_mib - h.reserved_memory_mib) * h.memory_ratio
       and used.disk_gib + :diskGiB <= h.disk_gib * h.disk_ratio
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
     from hosts h left join lateral (select coalesce(sum(vcpus), 0) as vcpus, coalesce(sum(memory_mib), 0) as memory_mib,
                                            coalesce(sum(disk_gib), 0) as disk_gib
                                     from allocations where host = h.name and server_id <> :serverId) others on true
     where h.name = :host and a.host = h.name and a.server_id = :serverId
       and (:vcpus <= a.vcpus or others.vcpus + :vcpus <= h.vcpus * h.cpu_ratio)
       and (:memoryMiB <= a.memory_mib or others.memory_mib + :memoryMiB <= (h.memory_mib - h.reserved_memory_mib) * h.memory_ratio)
       and (:diskGiB <= a.disk_gib or others.disk_gib + :diskGiB <= h.disk_gib * h.disk_ratio)`,
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
export type HostWish = Partial<Pick<HostRow, 'isEnabled' | 'disabledReason' | 'isForcedDown'>>

/** @throws NotFound */
export async function changeHost(db: Db, name: string, wish: HostWish): Promise<void> {
  if ((await db('hosts').where({ name }).update(wish)) === 0) throw new NotFound('Host', name)
}

/** The host is known no more, until its agent says otherwise. @throws Conflict when servers stand on it; NotFound */
export async function deleteHost(trx: Transaction, name: string): Promise<void> {
  await trx('hosts').where({ name }).forUpdate().select('name')
  const server = await trx('servers').where({ host: name }).whereNull('deletedAt').first('id')
  const claimed = await trx('allocations').where({ host: name }).first('serverId')
  if (server || claimed)
    throw new Conflict(
      'Unable to delete compute service that is hosting instances. Migrate or delete the instances first.',
    )
  if ((await trx('hosts').where({ name }).delete()) === 0) throw new NotFound('Host', name)
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

/** Where servers stand: the host on the row, and on its ports. */
import { Superseded } from '../core/errors.ts'
import type { JobPayload } from '../core/jobs.ts'
import type { Fault } from '../core/server.ts'
import type { Db, Transaction } from './connect.ts'
import { claimable, type Claim } from './hosts.ts'
import { addFault } from './servers.ts'

/** A place for a waiting server, and the job of the agent that is to build it there. */
export interface Placing extends Claim {
  /** as its agent knows it, such as 'compute-1/server.create' */
  readonly task: string
  readonly payload: JobPayload<'schedule'>
}

/** The rows of the server and of its host are locked, in this order; what is asked of them is asked again of the rows as they are then. */
const placing = `
  with waiting as (
    select id from servers
    where id = :serverId and deleted_at is null
      and (vm_state, task_state) in (('building', 'scheduling'), ('shelved_offloaded', 'unshelving'))
    for no key update
  ), free as (
    select h.name, h.zone from hosts h where exists (select from waiting) and ${claimable} for no key update of h
  ), claimed as (
    insert into allocations (server_id, host, vcpus, memory_mib, disk_gib)
    select :serverId, name, :vcpus, :memoryMiB, :diskGiB from free
    on conflict (server_id, host) do update set vcpus = :vcpus, memory_mib = :memoryMiB, disk_gib = :diskGiB
    returning host
  ), elsewhere as (
    delete from allocations where server_id = :serverId and host <> (select host from claimed)
  ), placed as (
    update servers s set host = f.name, task_state = 'spawning', availability_zone = f.zone, updated_at = now()
    from free f, claimed where s.id = :serverId
    returning s.id
  ), wired as (
    update ports set host = :host, status = 'BUILD', updated_at = now() where server_id = (select id from placed)
  ), job as (
    select (graphile_worker.add_job(:task, :payload::json, max_attempts => 25)).id from placed
  )
  select (select count(*) from waiting)::int as waiting, (select count(id) from job)::int as placed`

/**
 * In one statement: a place on the host is promised to a server that waits for one, the host stands on the server and on its ports, and
 * its agent has the job.
 *
 * @returns false when the place is not there any more: nothing was changed
 * @throws  Superseded when the server no longer waits for a host
 */
export async function place(db: Db, { payload, ...wanted }: Placing): Promise<boolean> {
  const { rows } = await db
    .raw<{ rows: { waiting: number; placed: number }[] }>(placing, { ...wanted, payload: JSON.stringify(payload) })
    .options({ name: 'a placing' })
  const { waiting = 0, placed = 0 } = rows[0] ?? {}
  if (waiting === 0) throw new Superseded(wanted.serverId)
  return placed === 1
}

/** A host failed to build the server: its reason is kept and the server waits for another. @throws Superseded */
export async function sendBack(trx: Transaction, serverId: string, host: string, reason: string): Promise<void> {
  const changed = await trx('servers')
    .where({ id: serverId, taskState: 'spawning', host })
    .whereNull('deletedAt')
    .update({
      host: null,
      taskState: 'scheduling',
      failedHosts: trx.raw('failed_hosts || jsonb_build_object(?::text, ?::text)', [host, reason]),
      updatedAt: trx.fn.now(),
    })
  if (changed === 0) throw new Superseded(serverId)
  await trx('ports').where({ serverId }).update({ host: null, status: 'DOWN', updatedAt: trx.fn.now() })
  await trx('allocations').where({ serverId, host }).delete()
}

async function leaveHost(trx: Transaction, serverId: string): Promise<void> {
  await trx('ports').where({ serverId }).update({ host: null, status: 'DOWN', updatedAt: trx.fn.now() })
  await trx('allocations').where({ serverId }).delete()
}

/** A shelved server has no guest and no place any more; its addresses stay. @throws Superseded when it is being deleted */
export async function offload(trx: Transaction, serverId: string): Promise<void> {
  const changed = await trx('servers')
    .where({ id: serverId, taskState: 'shelving_offloading' })
    .whereNull('deletedAt')
    .update({ host: null, vmState: 'shelved_offloaded', taskState: null, powerState: 0, updatedAt: trx.fn.now() })
  if (changed === 0) throw new Superseded(serverId)
  await leaveHost(trx, serverId)
}

/** An offloaded server that could not be brought back waits as before, with a fault. A server under deletion is left to that. */
export async function returnToShelf(
  trx: Transaction,
  serverId: string,
  fault: Omit<Fault, 'serverId' | 'createdAt'>,
): Promise<void> {
  const changed = await trx('servers')
    .where({ id: serverId, vmState: 'shelved_offloaded' })
    .whereIn('taskState', ['unshelving', 'spawning'])
    .whereNull('deletedAt')
    .update({ host: null, taskState: null, updatedAt: trx.fn.now() })
  if (changed === 0) return
  await leaveHost(trx, serverId)
  await addFault(trx, serverId, fault)
}

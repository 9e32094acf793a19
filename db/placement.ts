/** Where servers stand: the host on the row, and on its ports. */
import { Superseded } from '../core/errors.ts'
import type { JobPayload } from '../core/jobs.ts'
import type { Fault } from '../core/server.ts'
import { rowsOf, type Db, type Transaction } from './connect.ts'
import { claimable, type Claim } from './hosts.ts'
import { addFault } from './servers.ts'

/** A place for a waiting server, and the job of the agent that is to build it there. */
export interface Placing extends Claim {
  /** as its agent knows it, such as 'compute-1/server.create' */
  readonly task: string
  readonly payload: JobPayload<'schedule'>
}

/**
 * Rows of servers, then those of hosts, are locked; what is asked of them is asked again of the rows as they are then.
 *
 * @param locked what becomes of rows that others have locked: '' = they are waited for
 */
function placing(locked: '' | 'skip locked'): string {
  return `
  with wanted as (
    select * from json_to_recordset(:placings)
      w (server_id uuid, host text, vcpus int, memory_mib int, disk_gib int, task text, payload json)
  ), waiting as (
    select w.* from wanted w join servers s on s.id = w.server_id
    where s.deleted_at is null
      and (s.vm_state, s.task_state) in (('building', 'scheduling'), ('shelved_offloaded', 'unshelving'))
    for no key update of s ${locked}
  ), free as (
    select w.*, h.zone from waiting w join hosts h on h.name = w.host where ${claimable} for no key update of h ${locked}
  ), claimed as (
    insert into allocations (server_id, host, vcpus, memory_mib, disk_gib)
    select server_id, host, vcpus, memory_mib, disk_gib from free
    on conflict (server_id, host) do update
      set vcpus = excluded.vcpus, memory_mib = excluded.memory_mib, disk_gib = excluded.disk_gib
  ), elsewhere as (
    delete from allocations a using free f where a.server_id = f.server_id and a.host <> f.host
  ), placed as (
    update servers s set host = f.host, task_state = 'spawning', availability_zone = f.zone, updated_at = now()
    from free f where s.id = f.server_id
    returning s.id
  ), wired as (
    update ports p set host = f.host, status = 'BUILD', updated_at = now() from free f where p.server_id = f.server_id
  ), jobs as (
    select graphile_worker.add_jobs(
      array_agg((task, payload, null, null, 25::smallint, null, null, null)::graphile_worker.job_spec)
    ) as job from free having count(*) > 0
  )
  -- Jobs are counted since nothing is added by a part that nobody reads.
  select array(select server_id::text from waiting) as waiting, array(select id::text from placed) as placed,
         (select count(job) from jobs)::int as jobs`
}

const alone = placing('')
const together = placing('skip locked')

interface Placed {
  /** ids of servers that waited, and of those that were placed */
  readonly waiting: readonly string[]
  readonly placed: readonly string[]
}

async function ask(db: Db, statement: string, name: string, placings: readonly Placing[]): Promise<Placed> {
  const { rows } = await db.raw<{ rows: Placed[] }>(statement, { placings: rowsOf(placings) }).options({ name })
  return rows[0] ?? { waiting: [], placed: [] }
}

/**
 * In one statement: a place on the host is promised to a server that waits for one, the host stands on the server and on its ports, and
 * its agent has the job.
 *
 * @returns false when the place is not there any more: nothing was changed
 * @throws  Superseded when the server no longer waits for a host
 */
export async function place(db: Db, wanted: Placing): Promise<boolean> {
  const { waiting, placed } = await ask(db, alone, 'a placing', [wanted])
  if (waiting.length === 0) throw new Superseded(wanted.serverId)
  return placed.length === 1
}

/** No two for one host or one server: a statement asks once what a host has promised, and whether a server waits. */
function apart(placings: readonly Placing[]): readonly Placing[] {
  const taken = new Set<string>()
  return placings.filter(({ serverId, host }) => {
    if (taken.has(serverId) || taken.has(host)) return false
    taken.add(serverId).add(host)
    return true
  })
}

/**
 * As `place`, for many servers in one statement that waits for nobody. A server that is left out is not refused: its row or its host's
 * was locked, or another of the many goes to the host. Only `place` can tell.
 *
 * @returns those that were placed
 */
export async function placeTogether(db: Db, placings: readonly Placing[]): Promise<ReadonlySet<Placing>> {
  const asked = apart(placings)
  const { placed } = await ask(db, together, 'placings', asked)
  const ids = new Set(placed)
  return new Set(asked.filter(({ serverId }) => ids.has(serverId)))
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

/** Servers: every change of state is one guarded UPDATE, allowed by core/states.ts. */
import { changes, type Change, type ChangeName, type PowerState, type TaskState, type VmState } from '../core/states.ts'
import { NotFound, ServerInvalidState, Superseded } from '../core/errors.ts'
import type { Fault, Server, ServerFlavor } from '../core/server.ts'
import type { Db, Transaction } from './connect.ts'
import type { ServerRow } from './tables.ts'

/** @throws NotFound when there is none, or it is deleted */
export async function getServer(db: Db, id: string): Promise<Server> {
  const row = await findServer(db, id)
  if (row?.deletedAt !== null) throw new NotFound('Instance', id)
  return row
}

/** The row, also of a deleted server; null when there never was one. */
export async function findServer(db: Db, id: string): Promise<ServerRow | null> {
  return (await db('servers').where({ id }).first()) ?? null
}

/** By their ids; also deleted ones, and none that never was. */
export async function serversById(db: Db, ids: readonly string[]): Promise<ReadonlyMap<string, ServerRow>> {
  const rows = await db('servers')
    .whereRaw('id = any(?::uuid[])', [[...ids]])
    .options({ name: 'servers by id' })
  return new Map(rows.map((row) => [row.id, row]))
}

/** Nothing changes the row until the transaction ends. */
export async function lockServer(trx: Transaction, id: string): Promise<void> {
  await trx('servers').where({ id }).forUpdate().first('id')
}

/** Servers that have, or are to have, a guest on this host, the oldest first: in this order they start with the host. */
export async function serversOnHost(db: Db, host: string): Promise<readonly Server[]> {
  return await db('servers').where({ host }).whereNull('deletedAt').orderBy(['createdAt', 'id'])
}

function guardOf(change: Change): { readonly states: readonly string[]; readonly tasks: readonly string[] | 'any' } {
  return { states: change.from, tasks: change.interrupts ?? [] }
}

/**
 * Begins a change: the task shows from now on, and no other change begins beside it.
 *
 * @throws ServerInvalidState when the table of changes does not allow it now; NotFound when there is no such server
 */
export async function begin(trx: Transaction, id: string, name: ChangeName): Promise<Server> {
  const change: Change = changes[name]
  const { states, tasks } = guardOf(change)
  const [row] = await trx('servers')
    .where({ id })
    .whereNull('deletedAt')
    .whereIn('vmState', [...states])
    .where((free) => {
      // Any task may be interrupted, or none, or those that the table of changes names.
      if (tasks === 'any') void free.whereRaw('true')
      else void free.whereNull('taskState').orWhereIn('taskState', [...tasks])
    })
    .update({ taskState: change.during, updatedAt: trx.fn.now() })
    .returning('*')
  if (row) return row
  const present = await getServer(trx, id)
  const allowed = states.includes(present.vmState)
  const state = allowed ? `task_state ${String(present.taskState)}` : `vm_state ${present.vmState}`
  throw new ServerInvalidState(id, change.verb, state)
}

/** What a finished change writes beside the states. */
export interface Outcome {
  readonly powerState: PowerState
  readonly launched?: true
  readonly flavor?: ServerFlavor
  /** whether it can still be restored, counted from now */
  readonly softDeleted?: boolean
}

/**
 * Ends a change that still shows its task.
 *
 * @throws Superseded when a later request (a delete) took the server over: the job undoes and ends quietly
 */
export async function finish(db: Db, id: string, to: VmState, during: TaskState, outcome: Outcome): Promise<Server> {
  const [row] = await db('servers')
    .where({ id, taskState: during })
    .whereNull('deletedAt')
    .update({
      vmState: to,
      taskState: null,
      powerState: outcome.powerState,
      updatedAt: db.fn.now(),
      ...(outcome.softDeleted === undefined ? {} : { softDeletedAt: outcome.softDeleted ? db.fn.now() : null }),
      ...(outcome.flavor ? { flavor: outcome.flavor } : {}),
      ...(outcome.launched ? { launchedAt: db.raw('coalesce(launched_at, now())') } : {}),
    })
    .returning('*')
  if (!row) throw new Superseded(id)
  return row
}

/** Moves a running change to its next task. @throws Superseded as `finish` does */
export async function advance(db: Db, id: string, from: TaskState, to: TaskState): Promise<Server> {
  const [row] = await db('servers')
    .where({ id, taskState: from })
    .whereNull('deletedAt')
    .update({ taskState: to, updatedAt: db.fn.now() })
    .returning('*')
  if (!row) throw new Superseded(id)
  return row
}

/** Ends a task that left the state as it was. @throws Superseded as `finish` does */
export async function release(db: Db, id: string, during: TaskState): Promise<void> {
  const changed = await db('servers')
    .where({ id, taskState: during })
    .whereNull('deletedAt')
    .update({ taskState: null, updatedAt: db.fn.now() })
  if (changed === 0) throw new Superseded(id)
}

/** The server is in error, its task ended, and a fault says what, where and when. A server under deletion is left to that. */
export async function fail(trx: Transaction, id: string, fault: Omit<Fault, 'serverId' | 'createdAt'>): Promise<void> {
  await trx('servers')
    .where({ id })
    .whereNull('deletedAt')
    .whereRaw(`task_state is distinct from 'deleting'`)
    .update({ vmState: 'error', taskState: null, updatedAt: trx.fn.now() })
  await addFault(trx, id, fault)
}

/** Ends the task and leaves the state as it was: the change failed and changed nothing. */
export async function abandon(
  trx: Transaction,
  id: string,
  during: TaskState,
  fault: Omit<Fault, 'serverId' | 'createdAt'>,
): Promise<void> {
  await trx('servers').where({ id, taskState: during }).update({ taskState: null, updatedAt: trx.fn.now() })
  await addFault(trx, id, fault)
}

export async function addFault(db: Db, serverId: string, fault: Omit<Fault, 'serverId' | 'createdAt'>): Promise<void> {
  await db('faults').insert({ serverId, ...fault })
}

/** An administrator says what the server is; whatever was going on finds itself superseded. @throws NotFound */
export async function resetState(trx: Transaction, id: string, vmState: 'active' | 'error'): Promise<Server> {
  const [row] = await trx('servers')
    .where({ id })
    .whereNull('deletedAt')
    .update({ vmState, taskState: null, softDeletedAt: null, updatedAt: trx.fn.now() })
    .returning('*')
  if (!row) throw new NotFound('Instance', id)
  return row
}

/** What the guest turned out to be, seen by the agent when no change is running. 0 rows changed when one is. */
export async function observe(
  db: Db,
  id: string,
  seen: { readonly vmState: VmState; readonly powerState: PowerState },
): Promise<boolean> {
  const changed = await db('servers')
    .where({ id })
    .whereNull('taskState')
    .whereNull('deletedAt')
    .update({ ...seen, updatedAt: db.fn.now() })
  return changed > 0
}

export type ServerFields = Partial<
  Pick<
    Server,
    | 'name'
    | 'description'
    | 'hostname'
    | 'accessIpv4'
    | 'accessIpv6'
    | 'metadata'
    | 'diskConfig'
    | 'imageId'
    | 'imageReference'
    | 'keyName'
    | 'publicKey'
    | 'userData'
    | 'shelvedImageId'
    | 'rescueReference'
    | 'pinnedZone'
    | 'requestedHost'
  >
>

/** Changes what may change at any time. @throws NotFound */
export async function updateServer(trx: Transaction, id: string, fields: ServerFields): Promise<Server> {
  const [row] = await trx('servers')
    .where({ id })
    .whereNull('deletedAt')
    .update({ ...fields, updatedAt: trx.fn.now() })
    .returning('*')
  if (!row) throw new NotFound('Instance', id)
  return row
}

/** The row stays, marked, for those who list what was deleted; all that it held is given back by the caller in the same transaction. */
export async function markDeleted(trx: Transaction, id: string): Promise<void> {
  await trx('images')
    .whereIn('id', trx('servers').where({ id }).select('shelvedImageId'))
    .update({ status: 'deleted', deletedAt: trx.fn.now(), updatedAt: trx.fn.now() })
  await trx('servers').where({ id }).update({
    vmState: 'deleted',
    taskState: null,
    powerState: 0,
    host: null,
    terminatedAt: trx.fn.now(),
    deletedAt: trx.fn.now(),
    updatedAt: trx.fn.now(),
  })
}

/** For how long the task of a server has lasted, by the database's clock; 0 when there is none. */
export async function secondsInTask(db: Db, id: string): Promise<number> {
  const row = await db('servers')
    .where({ id })
    .whereNotNull('taskState')
    .first<{ seconds: number } | undefined>(db.raw('extract(epoch from now() - updated_at)::float as seconds'))
  return row?.seconds ?? 0
}

/** Moves of servers to other hosts: the record, whose the server is at each step, and the places that are promised meanwhile. */
import { Superseded } from '../core/errors.ts'
import type { Server } from '../core/server.ts'
import { powerStates, type TaskState } from '../core/states.ts'
import type { Db, Transaction } from './connect.ts'
import type { ServerMigrationRow } from './tables.ts'

/** An evacuation leaves a host that is down. */
export type MoveType = 'migration' | 'evacuation'

/** Nova's words. A move waits for its target, copies the disk, boots it; it is then confirmed or reverted by its user. */
export type MoveStatus =
  | 'pre-migrating'
  | 'migrating'
  | 'post-migrating'
  | 'finished'
  | 'reverting'
  | 'confirmed'
  | 'reverted'
  | 'done'
  | 'error'
const open: readonly MoveStatus[] = ['pre-migrating', 'migrating', 'post-migrating', 'finished', 'reverting']
/** The server is another host's for good. */
const left: readonly MoveStatus[] = ['confirmed', 'done']

/** A move that has not ended. */
export interface Move extends ServerMigrationRow {
  readonly sourceHost: string
}

type Moving = Server & { readonly host: string }

/** @param wish the only host that may take it; null = any */
export async function recordMove(
  trx: Transaction,
  server: Moving,
  { type, wish, userId }: { readonly type: MoveType; readonly wish: string | null; readonly userId: string },
): Promise<void> {
  await trx('server_migrations').insert({
    serverId: server.id,
    type,
    status: 'pre-migrating',
    sourceHost: server.host,
    targetHost: wish,
    oldFlavor: server.flavor,
    newFlavor: server.flavor,
    userId,
    projectId: server.projectId,
    previousReference: server.imageReference,
    wasRunning: server.powerState === powerStates.running,
  })
}

/** The open move of a server, or null; a resize on its own host is none. */
export async function openMove(db: Db, serverId: string): Promise<Move | null> {
  const row = await db('server_migrations')
    .where({ serverId })
    .whereIn('type', ['migration', 'evacuation'])
    .whereIn('status', [...open])
    .first()
  return row?.sourceHost ? { ...row, sourceHost: row.sourceHost } : null
}

/** Whether the last move of the server from this host was for good: what stands there still is left over. */
export async function hasLeft(db: Db, serverId: string, host: string): Promise<boolean> {
  const last = await db('server_migrations')
    .where({ serverId, sourceHost: host })
    .whereIn('type', ['migration', 'evacuation'])
    .orderBy('id', 'desc')
    .first()
  return last !== undefined && left.some((status) => status === last.status)
}

/** Servers that a move took from this host, and that a revert would bring back. */
export async function serversLeaving(db: Db, host: string): Promise<ReadonlySet<string>> {
  const ids = await db('server_migrations')
    .where({ sourceHost: host, type: 'migration' })
    .whereIn('status', [...open])
    .pluck('serverId')
  return new Set(ids)
}

/** Nobody will end its open move: no other host keeps a place for the server. */
export async function giveUpMove(trx: Transaction, { id, host }: Pick<Server, 'id' | 'host'>): Promise<void> {
  await trx('server_migrations')
    .where({ serverId: id })
    .whereIn('type', ['migration', 'evacuation'])
    .whereIn('status', [...open])
    .update({ status: 'error', updatedAt: trx.fn.now() })
  await trx('allocations').where({ serverId: id }).whereRaw('host is distinct from ?', [host]).delete()
}

export async function setMove(
  trx: Transaction,
  id: number,
  change: { readonly status: MoveStatus; readonly targetHost?: string; readonly reference?: string },
): Promise<void> {
  await trx('server_migrations')
    .where({ id })
    .update({ ...change, updatedAt: trx.fn.now() })
}

/** From now on the server is this host's to work on, in this task. @throws Superseded when a delete took the server over */
export async function handOver(
  trx: Transaction,
  serverId: string,
  { from, to, host }: { readonly from: TaskState; readonly to: TaskState; readonly host: string },
): Promise<void> {
  const changed = await trx('servers')
    .where({ id: serverId, taskState: from })
    .whereNull('deletedAt')
    .update({
      host,
      taskState: to,
      availabilityZone: trx.raw('coalesce((select zone from hosts where name = ?), availability_zone)', [host]),
      updatedAt: trx.fn.now(),
    })
  if (changed === 0) throw new Superseded(serverId)
  await trx('ports').where({ serverId }).update({ host, status: 'BUILD', updatedAt: trx.fn.now() })
}

/** Moves of servers to other hosts: the record, whose the server is at each step, and the places that are promised meanwhile. */
import { Superseded } from '../core/errors.ts'
import type { MoveStatus, Transport, WorkPhase } from '../core/moves.ts'
import type { Server, ServerFlavor } from '../core/server.ts'
import { powerStates, type TaskState } from '../core/states.ts'
import type { Db, Transaction } from './connect.ts'
import type { ServerMigrationRow } from './tables.ts'

/** A resize is a move where its new size is found on another host. An evacuation leaves a host that is down. */
export type MoveType = 'migration' | 'resize' | 'evacuation'

const types: readonly MoveType[] = ['migration', 'resize', 'evacuation']
const open: readonly MoveStatus[] = ['pre-migrating', 'migrating', 'post-migrating', 'finished', 'reverting']
/** The server is another host's for good. */
const left: readonly MoveStatus[] = ['confirmed', 'done']

/** A move that has not ended. */
export interface Move extends ServerMigrationRow {
  readonly sourceHost: string
}

type Moving = Server & { readonly host: string }

interface NewMove {
  readonly type: MoveType
  /** the only host that may take it; null = any */
  readonly wish: string | null
  readonly userId: string
  /** whether it is to run on the other host; absent = as it does now */
  readonly isStarted?: boolean
  /** absent = the size stays */
  readonly newFlavor?: ServerFlavor
}

export async function recordMove(
  trx: Transaction,
  server: Moving,
  { type, wish, userId, newFlavor, isStarted }: NewMove,
): Promise<void> {
  await trx('server_migrations').insert({
    serverId: server.id,
    type,
    status: 'pre-migrating',
    sourceHost: server.host,
    targetHost: wish,
    oldFlavor: server.flavor,
    newFlavor: newFlavor ?? server.flavor,
    userId,
    projectId: server.projectId,
    previousReference: server.imageReference,
    wasRunning: isStarted ?? server.powerState === powerStates.running,
  })
}

/** A resize in place is none. */
function movesOf(db: Db) {
  return db('server_migrations')
    .whereIn('type', [...types])
    .whereRaw('target_host is distinct from source_host')
}

/** The open move of a server, or null; a resize on its own host is none. */
export async function openMove(db: Db, serverId: string): Promise<Move | null> {
  const row = await movesOf(db)
    .where({ serverId })
    .whereIn('status', [...open])
    .first()
  return row?.sourceHost ? { ...row, sourceHost: row.sourceHost } : null
}

/** Whether the last move of the server from this host was for good, and it is not on its way back: what stands there still is left over. */
export async function hasLeft(db: Db, serverId: string, host: string): Promise<boolean> {
  const last = await movesOf(db).where({ serverId, sourceHost: host }).orderBy('id', 'desc').first()
  if (last === undefined || !left.some((status) => status === last.status)) return false
  return (await openMove(db, serverId))?.targetHost !== host
}

/** Servers on the move from this host or to it: it may keep a guest of theirs, for a revert, or before they are its own. */
export async function serversMoving(db: Db, host: string): Promise<ReadonlySet<string>> {
  const rows = await movesOf(db)
    .whereIn('status', [...open])
    .where((at) => void at.where('sourceHost', host).orWhere('targetHost', host))
    .select('serverId')
  return new Set(rows.map(({ serverId }) => serverId))
}

/** The other host that an open move of the server concerns, if any: what it keeps goes with the server. */
export async function otherHostOf(db: Db, serverId: string, host: string): Promise<string | null> {
  const move = await openMove(db, serverId)
  if (!move) return null
  return move.sourceHost === host ? move.targetHost : move.sourceHost
}

/** Nobody will end its open move: no other host keeps a place for the server. */
export async function giveUpMove(trx: Transaction, { id, host }: Pick<Server, 'id' | 'host'>): Promise<void> {
  await movesOf(trx)
    .where({ serverId: id })
    .whereIn('status', [...open])
    .update({ status: 'error', updatedAt: trx.fn.now() })
  await trx('allocations').where({ serverId: id }).whereRaw('host is distinct from ?', [host]).delete()
}

export async function setMove(
  trx: Transaction,
  id: number,
  change: {
    readonly status?: MoveStatus
    readonly targetHost?: string
    readonly reference?: string
    readonly transport?: Transport
    readonly transportReason?: string
  },
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

/** How far a move is, and how fast. */
export interface Progress {
  readonly phase: WorkPhase
  readonly bytesTotal: number
  readonly bytesDone: number
  readonly bytesPerSecond: number
}

export async function tellProgress(db: Db, id: number, progress: Progress): Promise<void> {
  await db('server_migrations')
    .where({ id })
    .update({ ...progress, updatedAt: db.fn.now() })
}

/** The one resize of a server that is open: begun, and neither confirmed nor reverted. */
import { Conflict, NoValidHost } from '../core/errors.ts'
import type { Server, ServerFlavor } from '../core/server.ts'
import type { PowerState, TaskState, VmState } from '../core/states.ts'
import type { Db, Transaction } from './connect.ts'
import { settleClaim, widenClaim, type Claim } from './hosts.ts'
import { finish } from './servers.ts'
import type { ServerMigrationRow } from './tables.ts'

/** Nova's words for what became of it. */
export type ResizeStatus = 'migrating' | 'finished' | 'confirmed' | 'reverted' | 'error'
const open: readonly ResizeStatus[] = ['migrating', 'finished']

type Placed = Pick<Server, 'id' | 'projectId'> & { readonly host: string }

function claimOf(serverId: string, host: string, { vcpus, memoryMiB, diskGiB }: ServerFlavor): Claim {
  return { serverId, host, vcpus, memoryMiB, diskGiB }
}

/** Keeps both sizes; from now on the larger counts in the project's quota. */
export async function recordResize(
  trx: Transaction,
  { id, projectId, host }: Placed,
  sizes: { readonly old: ServerFlavor; readonly new: ServerFlavor; readonly userId: string },
): Promise<void> {
  await trx('server_migrations').insert({
    serverId: id,
    type: 'resize',
    status: 'migrating',
    sourceHost: host,
    targetHost: host,
    oldFlavor: sizes.old,
    newFlavor: sizes.new,
    userId: sizes.userId,
    projectId,
  })
}

/** Promises the larger of both sizes on the server's own host. @throws NoValidHost when the host has no room */
export async function claimResize(trx: Transaction, { id, host }: Placed, wanted: ServerFlavor): Promise<void> {
  const { vcpus, memoryMiB, diskGiB } = wanted
  if (!(await widenClaim(trx, claimOf(id, host, wanted))))
    throw new NoValidHost({ [host]: `it has no room for ${vcpus} vcpus, ${memoryMiB} MiB and ${diskGiB} GiB` })
}

/** @throws Conflict when none is open: somebody reset the server's state meanwhile */
export async function openResize(db: Db, serverId: string): Promise<ServerMigrationRow> {
  const row = await db('server_migrations')
    .where({ serverId })
    .whereIn('status', [...open])
    .first()
  if (!row) throw new Conflict(`Instance ${serverId} has no resize to confirm or revert.`)
  return row
}

async function mark(trx: Transaction, serverId: string, status: ResizeStatus): Promise<void> {
  await trx('server_migrations')
    .where({ serverId })
    .whereIn('status', [...open])
    .update({ status, updatedAt: trx.fn.now() })
}

/** How a step of a resize ends. */
export interface ResizeStep {
  readonly during: TaskState
  readonly to: VmState
  readonly powerState: PowerState
  readonly status: ResizeStatus
  /** the size from now on */
  readonly flavor: ServerFlavor
}

/** State, size, record and promised place change together. @throws Superseded as `finish` does */
export async function endStep(db: Db, server: Server, step: ResizeStep): Promise<void> {
  const { during, to, powerState, status, flavor } = step
  await db.transaction(async (trx) => {
    const { host } = await finish(trx, server.id, to, during, { powerState, flavor })
    await mark(trx, server.id, status)
    if (status !== 'finished' && host !== null) await settleClaim(trx, claimOf(server.id, host, flavor))
  })
}

/** Nobody will confirm or revert it: the place promised is that of the present size again. */
export async function giveUpResize(trx: Transaction, { id, host, flavor }: Server): Promise<void> {
  await mark(trx, id, 'error')
  if (host !== null) await settleClaim(trx, claimOf(id, host, flavor))
}

/** The end of a move: confirmed, the source's guest goes; reverted, the target's goes and the source's starts again. */
import { messageOf, Superseded } from '../../core/errors.ts'
import type { JobPayload } from '../../core/jobs.ts'
import type { Server } from '../../core/server.ts'
import { powerStates } from '../../core/states.ts'
import { withEvent } from '../../db/action-events.ts'
import { releaseClaim } from '../../db/hosts.ts'
import { handOver, hasLeft, setMove, type Move } from '../../db/moves.ts'
import { fail, findServer, finish, updateServer } from '../../db/servers.ts'
import { vifsOf } from '../../db/vifs.ts'
import { enqueue } from '../../jobs/enqueue.ts'
import { demolish } from '../delete.ts'
import type { Host } from '../host.ts'
import { isWorthAnother } from '../passing.ts'
import { startGuest } from '../power.ts'
import { writeSpecFile } from '../spec-file.ts'
import { plugAll } from '../wire.ts'

/** At the source again, after a revert or a failed landing. */
async function comeHome(host: Host, server: Server, move: Move): Promise<void> {
  const { config, db } = host
  if (move.wasRunning) await startGuest(host, server.id)
  else await plugAll(host, server.id, await vifsOf(db, server.id))
  await db.transaction(async (trx) => {
    const to = move.wasRunning ? 'active' : 'stopped'
    const powerState = move.wasRunning ? powerStates.running : powerStates.shutdown
    if (move.previousReference !== null) await updateServer(trx, server.id, { imageReference: move.previousReference })
    await finish(trx, server.id, to, 'resize_reverting', { powerState, flavor: move.oldFlavor })
    await setMove(trx, move.id, { status: move.status === 'reverting' ? 'reverted' : 'error' })
  })
  await writeSpecFile(config.home, { ...server, flavor: move.oldFlavor }, await vifsOf(db, server.id))
}

/** At the target: the guest goes, and the source has the next word. */
async function goHome(
  host: Host,
  server: Server,
  move: Move,
  payload: JobPayload<'server.revert-resize'>,
): Promise<void> {
  const { db, name } = host
  const vifs = await vifsOf(db, server.id)
  await demolish(
    host,
    server.id,
    vifs.map(({ portId }) => portId),
  )
  await db.transaction(async (trx) => {
    await setMove(trx, move.id, { status: 'reverting' })
    await handOver(trx, server.id, { from: 'resize_reverting', to: 'resize_reverting', host: move.sourceHost })
    await releaseClaim(trx, server.id, name)
    await enqueue(trx, 'server.revert-resize', payload, move.sourceHost)
  })
}

export async function revertMove(
  host: Host,
  server: Server,
  { move, payload }: { readonly move: Move; readonly payload: JobPayload<'server.revert-resize'> },
): Promise<void> {
  const { db, log, name } = host
  try {
    await withEvent(db, payload, { event: 'compute_revert_resize', host: name }, () =>
      name === move.sourceHost ? comeHome(host, server, move) : goHome(host, server, move, payload),
    )
  } catch (error) {
    if (error instanceof Superseded) return
    if (await isWorthAnother(host, server.id, error)) throw error
    log.error({ serverId: server.id, err: error }, 'guest did not go home')
    await db.transaction(async (trx) => {
      await setMove(trx, move.id, { status: 'error' })
      await fail(trx, server.id, { code: 500, message: messageOf(error), details: '', host: name })
    })
  }
}

/** At the target: from now on the server is here for good. */
export async function confirmMove(
  { db }: Host,
  server: Server,
  { move, payload }: { readonly move: Move; readonly payload: JobPayload<'server.confirm-resize'> },
): Promise<void> {
  await db.transaction(async (trx) => {
    const isRunning = server.powerState === powerStates.running
    const powerState = isRunning ? powerStates.running : powerStates.shutdown
    await finish(trx, server.id, isRunning ? 'active' : 'stopped', 'resize_confirming', { powerState })
    await setMove(trx, move.id, { status: 'confirmed' })
    await releaseClaim(trx, server.id, move.sourceHost)
    await enqueue(trx, 'server.leave', payload, move.sourceHost)
  })
}

/** At the source: what is left of a guest whose server went for good, or is deleted, goes. */
export async function leave(host: Host, { serverId }: JobPayload<'server.leave'>): Promise<void> {
  const { db, log, name } = host
  const server = await findServer(db, serverId)
  if (!server || (server.deletedAt === null && !(server.host !== name && (await hasLeft(db, serverId, name))))) return
  const vifs = await vifsOf(db, serverId)
  await demolish(
    host,
    serverId,
    vifs.map(({ portId }) => portId),
  )
  log.info({ serverId }, 'what a moved guest left is gone')
}

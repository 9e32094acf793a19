/** Evacuation: a server whose host is down is built anew here, of its newest image, with its addresses. */
import { messageOf, Superseded } from '../core/errors.ts'
import type { JobPayload } from '../core/jobs.ts'
import { powerStates } from '../core/states.ts'
import { Undo } from '../core/undo.ts'
import { withEvent } from '../db/action-events.ts'
import { newestImageOf } from '../db/images.ts'
import { openMove, setMove } from '../db/moves.ts'
import { fail, findServer, finish, updateServer } from '../db/servers.ts'
import { build } from './create.ts'
import { demolish } from './delete.ts'
import type { Host } from './host.ts'
import { isWorthAnother } from './passing.ts'

export async function evacuate(host: Host, payload: JobPayload<'server.evacuate'>): Promise<void> {
  const { db, log, name } = host
  const server = await findServer(db, payload.serverId)
  if (server?.host !== name || server.taskState !== 'evacuating') return
  const move = await openMove(db, server.id)
  if (!move) return
  const isStarted = move.wasRunning
  const undo = new Undo()
  try {
    await withEvent(db, payload, { event: 'compute_rebuild_instance', host: name }, async () => {
      await demolish(host, server.id, [])
      const snapshot = await newestImageOf(db, server.id)
      const imageReference = snapshot?.reference ?? server.imageReference
      await build(host, { ...server, imageReference }, undo, {
        adminPassword: payload.adminPassword ?? null,
        isStarted,
      })
      await db.transaction(async (trx) => {
        await updateServer(trx, server.id, { imageReference })
        const powerState = isStarted ? powerStates.running : powerStates.shutdown
        await finish(trx, server.id, isStarted ? 'active' : 'stopped', 'evacuating', { powerState })
        await setMove(trx, move.id, { status: 'done' })
      })
    })
    undo.commit()
    log.info({ serverId: server.id, source: move.sourceHost }, 'server evacuated')
  } catch (error) {
    for (const left of await undo.rollback())
      log.error({ serverId: server.id, left: left.what, err: left.error }, 'not undone')
    if (error instanceof Superseded) return
    if (await isWorthAnother(host, server.id, error)) throw error
    log.error({ serverId: server.id, err: error }, 'server not evacuated')
    await db.transaction(async (trx) => {
      // The old host must not start it again: for that the record stays that of a server which left.
      await setMove(trx, move.id, { status: 'done' })
      await fail(trx, server.id, { code: 500, message: messageOf(error), details: '', host: name })
    })
  }
}

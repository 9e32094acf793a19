import type { Logger } from 'pino'
import { reach } from '../core/failpoints.ts'
import type { JobPayload } from '../core/jobs.ts'
import { endEvents } from '../db/action-events.ts'
import { deletesOfFenced } from '../db/healing.ts'
import { giveUpMove } from '../db/moves.ts'
import { findServer } from '../db/servers.ts'
import { giveBack } from '../ipam/give-back.ts'
import { enqueue } from '../jobs/enqueue.ts'
import type { Site } from './site.ts'
import { missedBeats } from './unbuilt.ts'

/** Deletes a server that has no host; one that got a host in the meantime goes to its agent. */
export async function deleteUnplaced({ db, config }: Site, payload: JobPayload<'server.delete'>): Promise<void> {
  reach(config, 'scheduler.delete.begun')
  await db.transaction(async (trx) => {
    const server = await findServer(trx, payload.serverId)
    if (server?.deletedAt !== null) return
    if (server.host === null) await giveBack(trx, server.id)
    else await enqueue(trx, 'server.delete', payload, server.host)
  })
  reach(config, 'scheduler.delete.committed')
}

/**
 * A delete waits for its host, but not for one that an administrator, or healing, declared down and that is silent. What stands there goes
 * when its agent comes back and finds the server deleted.
 */
export async function deleteOfFenced({
  db,
  config,
  log,
}: Pick<Site, 'db' | 'config'> & { readonly log: Pick<Logger, 'warn'> }): Promise<void> {
  const gone = await db.transaction(async (trx) => {
    const waiting = await deletesOfFenced(trx, missedBeats * config.heartbeatSeconds)
    for (const server of waiting) {
      await giveUpMove(trx, server)
      await giveBack(trx, server.id)
    }
    return waiting
  })
  for (const { id: serverId, host, requestId } of gone) {
    await endEvents(db, { serverId, requestId })
    log.warn({ serverId, host, requestId }, 'server deleted without its host, which is down')
  }
}

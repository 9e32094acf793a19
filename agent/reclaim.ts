import { randomUUID } from 'node:crypto'
import { ServerInvalidState } from '../core/errors.ts'
import { softDeletedBefore } from '../db/soft-delete.ts'
import { begin } from '../db/servers.ts'
import { enqueue } from '../jobs/enqueue.ts'
import type { Host } from './host.ts'

/** Deletes for good what was softly deleted longer ago than the setting says. Without the setting it is kept until somebody decides. */
export async function reclaim({ db, name, config, log }: Pick<Host, 'db' | 'name' | 'config' | 'log'>): Promise<void> {
  if (config.reclaimSeconds === 0) return
  for (const serverId of await softDeletedBefore(db, name, config.reclaimSeconds)) {
    const requestId = `req-${randomUUID()}`
    try {
      await db.transaction(async (trx) => {
        await begin(trx, serverId, 'server.delete')
        await enqueue(trx, 'server.delete', { serverId, requestId }, name)
      })
      log.info({ serverId, requestId }, 'softly deleted server reclaimed')
    } catch (error) {
      // Somebody restored it in this moment.
      if (!(error instanceof ServerInvalidState)) throw error
    }
  }
}

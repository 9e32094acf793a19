import { reach } from '../core/failpoints.ts'
import type { JobPayload } from '../core/jobs.ts'
import { findServer } from '../db/servers.ts'
import { giveBack } from '../ipam/give-back.ts'
import { enqueue } from '../jobs/enqueue.ts'
import type { Site } from './site.ts'

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

import { NoValidHost, Superseded } from '../core/errors.ts'
import { reach } from '../core/failpoints.ts'
import type { JobPayload } from '../core/jobs.ts'
import type { Server } from '../core/server.ts'
import { claim, releaseClaims, type HostUse } from '../db/hosts.ts'
import { placeOn, returnToShelf } from '../db/placement.ts'
import { fail, findServer } from '../db/servers.ts'
import { enqueue } from '../jobs/enqueue.ts'
import { findHost, stillSuits } from './find-host.ts'
import type { Site } from './site.ts'

/** In one transaction: the place is promised, the host stands on the row, and its agent has the job. */
async function place(
  site: Site,
  server: Server,
  { host, payload }: { readonly host: HostUse; readonly payload: JobPayload<'schedule'> },
): Promise<boolean> {
  const { db, config } = site
  reach(config, 'scheduler.create.chosen')
  const { vcpus, memoryMiB, diskGiB } = server.flavor
  return await db.transaction(async (trx) => {
    if (!(await stillSuits(trx, site, server, host))) return false
    await releaseClaims(trx, server.id)
    if (!(await claim(trx, { serverId: server.id, host: host.name, vcpus, memoryMiB, diskGiB }))) return false
    await placeOn(trx, server.id, host.name)
    if (server.vmState === 'building') await enqueue(trx, 'server.create', payload, host.name)
    else await enqueue(trx, 'server.unshelve', payload, host.name)
    reach(config, 'scheduler.create.written')
    return true
  })
}

function isWaiting({ vmState, taskState }: Server): boolean {
  return (
    (vmState === 'building' && taskState === 'scheduling') ||
    (vmState === 'shelved_offloaded' && taskState === 'unshelving')
  )
}

/**
 * Finds a host for a new server, or ends it in error with every host's reason; a server on its shelf stays there.
 * A job that comes twice or late finds the row no longer waiting, and does nothing.
 */
export async function schedule(site: Site, payload: JobPayload<'schedule'>): Promise<void> {
  const { db, config } = site
  const server = await findServer(db, payload.serverId)
  if (!server || !isWaiting(server)) return
  try {
    await findHost(site, server, { take: (host) => place(site, server, { host, payload }) })
    reach(config, 'scheduler.create.committed')
  } catch (error) {
    if (error instanceof Superseded) return
    if (!(error instanceof NoValidHost)) throw error
    const fault = { code: 500, message: error.message, details: '', host: null }
    await db.transaction((trx) =>
      server.vmState === 'building' ? fail(trx, server.id, fault) : returnToShelf(trx, server.id, fault),
    )
  }
}

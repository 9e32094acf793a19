import { NoValidHost, Superseded } from '../core/errors.ts'
import { reach } from '../core/failpoints.ts'
import type { JobPayload } from '../core/jobs.ts'
import type { Server } from '../core/server.ts'
import type { HostPlace } from '../db/host-places.ts'
import { place, returnToShelf } from '../db/placement.ts'
import { fail } from '../db/servers.ts'
import { taskName } from '../jobs/enqueue.ts'
import { findHost, stillSuits } from './find-host.ts'
import { recordFailure } from './record-failure.ts'
import type { Site } from './site.ts'

/** Members of a group take their places one after the other, each seeing those before it. */
async function take(
  site: Site,
  server: Server,
  { host, payload }: { readonly host: HostPlace; readonly payload: JobPayload<'schedule'> },
): Promise<boolean> {
  const { db, config, crowd } = site
  reach(config, 'scheduler.create.chosen')
  const { vcpus, memoryMiB, diskGiB } = server.flavor
  const task = taskName(server.vmState === 'building' ? 'server.create' : 'server.unshelve', host.name)
  const placing = { serverId: server.id, host: host.name, vcpus, memoryMiB, diskGiB, task, payload }
  if (server.serverGroupId === null) return await crowd.place(placing)
  return await db.transaction(async (trx) => (await stillSuits(trx, site, server, host)) && (await place(trx, placing)))
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
  const { db, config, crowd } = site
  const server = await crowd.server(payload.serverId)
  if (!server || !isWaiting(server)) return
  try {
    await findHost(site, server, { take: (host) => take(site, server, { host, payload }) })
    reach(config, 'scheduler.create.committed')
  } catch (error) {
    if (error instanceof Superseded) return
    if (!(error instanceof NoValidHost)) throw error
    await recordFailure(db, payload, { event: 'conductor_schedule_and_build_instances', error })
    const fault = { code: 500, message: error.message, details: '', host: null }
    await db.transaction((trx) =>
      server.vmState === 'building' ? fail(trx, server.id, fault) : returnToShelf(trx, server.id, fault),
    )
  }
}

/** Finds the host that a server moves to. */
import { NoValidHost } from '../core/errors.ts'
import type { JobPayload } from '../core/jobs.ts'
import type { Server } from '../core/server.ts'
import type { TaskState } from '../core/states.ts'
import type { HostPlace } from '../db/host-places.ts'
import { claim, releaseClaim } from '../db/hosts.ts'
import { handOver, openMove, setMove, type Move } from '../db/moves.ts'
import { abandon, findServer } from '../db/servers.ts'
import { enqueue } from '../jobs/enqueue.ts'
import { findHost, stillSuits } from './find-host.ts'
import { recordFailure } from './record-failure.ts'
import type { Site } from './site.ts'

/** In one transaction: the place is promised, the record names the host, and its agent has the job. */
async function aim(
  site: Site,
  server: Server,
  {
    move,
    host,
    payload,
  }: { readonly move: Move; readonly host: HostPlace; readonly payload: JobPayload<'schedule.move'> },
): Promise<boolean> {
  const { vcpus, memoryMiB, diskGiB } = move.newFlavor
  return await site.db.transaction(async (trx) => {
    if (!(await stillSuits(trx, site, server, host))) return false
    if (!(await claim(trx, { serverId: server.id, host: host.name, vcpus, memoryMiB, diskGiB }))) return false
    await setMove(trx, move.id, { status: 'migrating', targetHost: host.name })
    if (move.type !== 'evacuation') {
      await enqueue(trx, 'server.expect', payload, host.name)
      return true
    }
    // The host that is down must not take the server for its own when it comes back.
    await handOver(trx, server.id, { from: 'evacuating', to: 'evacuating', host: host.name })
    await releaseClaim(trx, server.id, move.sourceHost)
    await enqueue(trx, 'server.evacuate', payload, host.name)
    return true
  })
}

/** Nobody takes the server: it is where it was, with a fault. */
async function stay(
  { db }: Site,
  server: Server,
  {
    move,
    taskState,
    payload,
    error,
  }: {
    readonly move: Move
    readonly taskState: TaskState
    readonly payload: JobPayload<'schedule.move'>
    readonly error: NoValidHost
  },
): Promise<void> {
  await recordFailure(db, payload, { event: 'conductor_migrate_server', error })
  await db.transaction(async (trx) => {
    await setMove(trx, move.id, { status: 'error' })
    await abandon(trx, server.id, taskState, { code: 500, message: error.message, details: '', host: null })
  })
}

/** The server stays where it is when no host takes it; the fault lists every host with its reason. A job that comes twice does nothing. */
export async function scheduleMove(site: Site, payload: JobPayload<'schedule.move'>): Promise<void> {
  const { db } = site
  const server = await findServer(db, payload.serverId)
  if (!server) return
  const move = await openMove(db, server.id)
  if (move?.status !== 'pre-migrating') return
  if (server.taskState !== 'resize_migrating' && server.taskState !== 'evacuating') return
  const { taskState } = server
  const wish = {
    flavor: move.newFlavor,
    requestedHost: move.targetHost,
    failedHosts: { [move.sourceHost]: 'the server is to leave it' },
  }
  try {
    await findHost(site, server, { wish, take: (host) => aim(site, server, { move, host, payload }) })
  } catch (error) {
    if (!(error instanceof NoValidHost)) throw error
    await stay(site, server, { move, taskState, payload, error })
  }
}

import { NoValidHost, Superseded } from '../core/errors.ts'
import { reach } from '../core/failpoints.ts'
import type { JobPayload } from '../core/jobs.ts'
import type { Server } from '../core/server.ts'
import { claim, hostsWithUse, releaseClaims, type HostUse } from '../db/hosts.ts'
import { placeOn } from '../db/placement.ts'
import { fail, findServer } from '../db/servers.ts'
import { enqueue } from '../jobs/enqueue.ts'
import { filters } from './filters/index.ts'
import type { Site } from './site.ts'
import { weigh } from './weigh.ts'

interface Choice {
  readonly fitting: readonly HostUse[]
  /** host -> why not */
  readonly reasons: Readonly<Record<string, string>>
}

function refusalOf(host: HostUse, server: Server): string | null {
  for (const filter of filters) {
    const reason = filter(host, server)
    if (reason !== null) return reason
  }
  return null
}

/** Which hosts could take the server, and why the others could not. */
export function choose(hosts: readonly HostUse[], server: Server): Choice {
  const reasons: Record<string, string> = { ...server.failedHosts }
  const fitting = hosts.filter((host) => {
    const reason = refusalOf(host, server)
    if (reason !== null) reasons[host.name] = reason
    return reason === null
  })
  return { fitting: weigh(fitting), reasons }
}

/** In one transaction: the place is promised, the host stands on the row, and its agent has the job. */
async function place(
  { db, config }: Site,
  server: Server,
  { host, payload }: { readonly host: HostUse; readonly payload: JobPayload<'schedule'> },
): Promise<boolean> {
  const { vcpus, memoryMiB, diskGiB } = server.flavor
  return await db.transaction(async (trx) => {
    await releaseClaims(trx, server.id)
    if (!(await claim(trx, { serverId: server.id, host: host.name, vcpus, memoryMiB, diskGiB }))) return false
    await placeOn(trx, server.id, host.name)
    await enqueue(trx, 'server.create', payload, host.name)
    reach(config, 'scheduler.create.written')
    return true
  })
}

/**
 * Finds a host for a new server, or ends it in error with every host's reason.
 * A job that comes twice or late finds the row no longer waiting, and does nothing.
 */
export async function schedule(site: Site, payload: JobPayload<'schedule'>): Promise<void> {
  const { db, config } = site
  const server = await findServer(db, payload.serverId)
  if (server?.vmState !== 'building' || server.taskState !== 'scheduling') return
  const { fitting, reasons } = choose(await hostsWithUse(db), server)
  reach(config, 'scheduler.create.chosen')
  const lost: Record<string, string> = {}
  try {
    for (const host of fitting) {
      if (await place(site, server, { host, payload })) {
        reach(config, 'scheduler.create.committed')
        return
      }
      lost[host.name] = 'another server took the last place'
    }
  } catch (error) {
    if (error instanceof Superseded) return
    throw error
  }
  const error = new NoValidHost({ ...reasons, ...lost })
  await db.transaction((trx) => fail(trx, server.id, { code: 500, message: error.message, details: '', host: null }))
}

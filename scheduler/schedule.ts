import { NoValidHost, Superseded } from '../core/errors.ts'
import { reach } from '../core/failpoints.ts'
import type { JobPayload } from '../core/jobs.ts'
import type { Server } from '../core/server.ts'
import type { Transaction } from '../db/connect.ts'
import { claim, hostsWithUse, releaseClaims, type HostUse } from '../db/hosts.ts'
import { placeOn, returnToShelf } from '../db/placement.ts'
import { lockServerGroup } from '../db/server-groups.ts'
import { fail, findServer } from '../db/servers.ts'
import { enqueue } from '../jobs/enqueue.ts'
import { filters, groupFilters } from './filters/index.ts'
import type { Filter, Wish } from './filters/filter.ts'
import { neighboursOf, nobody, type Neighbours } from './neighbours.ts'
import type { Site } from './site.ts'
import { weigh } from './weigh.ts'

interface Choice {
  readonly fitting: readonly HostUse[]
  /** host -> why not */
  readonly reasons: Readonly<Record<string, string>>
}

interface Question {
  readonly server: Wish
  readonly neighbours: Neighbours
}

function refusalOf(asked: readonly Filter[], host: HostUse, { server, neighbours }: Question): string | null {
  for (const filter of asked) {
    const reason = filter(host, server, neighbours)
    if (reason !== null) return reason
  }
  return null
}

/** Which hosts could take the server, and why the others could not. */
export function choose(hosts: readonly HostUse[], server: Wish, neighbours: Neighbours = nobody): Choice {
  const reasons: Record<string, string> = { ...server.failedHosts }
  const fitting = hosts.filter((host) => {
    const reason = refusalOf(filters, host, { server, neighbours })
    if (reason !== null) reasons[host.name] = reason
    return reason === null
  })
  return { fitting: weigh(fitting, neighbours), reasons }
}

/** Others of the group may have found places in the meantime; from now on they wait for this transaction. */
export async function stillSuits(trx: Transaction, server: Server, host: HostUse): Promise<boolean> {
  if (server.serverGroupId === null) return true
  await lockServerGroup(trx, server.serverGroupId)
  return refusalOf(groupFilters, host, { server, neighbours: await neighboursOf(trx, server) }) === null
}

/** In one transaction: the place is promised, the host stands on the row, and its agent has the job. */
async function place(
  { db, config }: Site,
  server: Server,
  { host, payload }: { readonly host: HostUse; readonly payload: JobPayload<'schedule'> },
): Promise<boolean> {
  const { vcpus, memoryMiB, diskGiB } = server.flavor
  return await db.transaction(async (trx) => {
    if (!(await stillSuits(trx, server, host))) return false
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
  const { fitting, reasons } = choose(await hostsWithUse(db), server, await neighboursOf(db, server))
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
  const fault = { code: 500, message: error.message, details: '', host: null }
  await db.transaction((trx) =>
    server.vmState === 'building' ? fail(trx, server.id, fault) : returnToShelf(trx, server.id, fault),
  )
}

import { NotFound } from '../../../core/errors.ts'
import type { Fault, Server } from '../../../core/server.ts'
import { isUuid } from '../../../core/uuid.ts'
import { hostStatuses } from '../../../db/host-status.ts'
import { addressesOf } from '../../../db/ports.ts'
import { groupNamesOf } from '../../../db/security-groups.ts'
import { faultsOf, findServer } from '../../../db/servers.ts'
import type { Call } from '../../route.ts'
import type { ServerParts } from '../views/server.ts'

type Asker = Pick<Call, 'db' | 'caller'>

/**
 * The server that the path names, if the caller may see it.
 *
 * @param options.deleted also one that is deleted
 * @throws NotFound, also for a server of another project: its existence is not told
 */
export async function serverOf(
  { db, caller }: Asker,
  id: string | undefined,
  options: { readonly deleted: boolean } = { deleted: false },
): Promise<Server> {
  const server = id !== undefined && isUuid(id) ? await findServer(db, id) : null
  if (!server || (server.deletedAt !== null && !options.deleted)) throw new NotFound('Instance', id ?? '')
  if (!caller.isAdmin && server.projectId !== caller.projectId) throw new NotFound('Instance', server.id)
  return server
}

async function faultsFor({ db }: Asker, servers: readonly Server[]): Promise<ReadonlyMap<string, Fault>> {
  const faulty = servers.filter(({ vmState }) => vmState === 'error' || vmState === 'deleted').map(({ id }) => id)
  return faulty.length > 0 ? await faultsOf(db, faulty) : new Map()
}

/** What the views of these servers need, read in a handful of statements however many there are. */
export async function partsOf(call: Asker, servers: readonly Server[]): Promise<readonly ServerParts[]> {
  if (servers.length === 0) return []
  const ids = servers.map(({ id }) => id)
  const hosts = [...new Set(servers.flatMap(({ host }) => host ?? []))]
  const [addresses, groups, faults, statuses] = await Promise.all([
    addressesOf(call.db, ids),
    groupNamesOf(call.db, ids),
    faultsFor(call, servers),
    call.caller.isAdmin && hosts.length > 0 ? hostStatuses(call.db, hosts) : new Map<string, never>(),
  ])
  const byServer = Map.groupBy(addresses, ({ serverId }) => serverId)
  return servers.map((server) => ({
    server,
    addresses: byServer.get(server.id) ?? [],
    securityGroups: groups.get(server.id) ?? [],
    fault: faults.get(server.id) ?? null,
    hostStatus: server.host === null ? '' : (statuses.get(server.host) ?? 'UNKNOWN'),
  }))
}

/** @throws NotFound when the server has gone in the meantime */
export async function partsOfOne(call: Asker, server: Server): Promise<ServerParts> {
  const [parts] = await partsOf(call, [server])
  if (!parts) throw new NotFound('Instance', server.id)
  return parts
}

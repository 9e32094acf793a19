/** Where the servers stand that a new one is to be near to, or far from. */
import type { Server } from '../core/server.ts'
import type { Db } from '../db/connect.ts'
import { hostsOfServers, membersByHost } from '../db/neighbours.ts'
import { findServerGroup } from '../db/server-groups.ts'
import type { ServerGroupRow } from '../db/tables.ts'

/** Where other servers stand, as far as the new one minds. */
export interface Neighbours {
  readonly group: Pick<ServerGroupRow, 'policy' | 'maxServerPerHost'> | null
  /** how many other members of the group stand on each host */
  readonly members: ReadonlyMap<string, number>
  /** hosts of the servers of hint same_host; null = no such hint */
  readonly sameHosts: readonly string[] | null
  /** hosts of the servers of hint different_host */
  readonly differentHosts: readonly string[]
}

export const nobody: Neighbours = { group: null, members: new Map(), sameHosts: null, differentHosts: [] }

/** A hint is one id, or a list of them. */
function idsIn(hint: unknown): readonly string[] {
  const values: readonly unknown[] = Array.isArray(hint) ? hint : [hint]
  return values.filter((value) => typeof value === 'string')
}

export async function neighboursOf(db: Db, server: Server): Promise<Neighbours> {
  const { hints, serverGroupId } = server
  const near = idsIn(hints.same_host)
  const far = idsIn(hints.different_host)
  return {
    group: serverGroupId === null ? null : await findServerGroup(db, serverGroupId),
    members: serverGroupId === null ? new Map() : await membersByHost(db, serverGroupId, server.id),
    sameHosts: near.length === 0 ? null : await hostsOfServers(db, near),
    differentHosts: far.length === 0 ? [] : await hostsOfServers(db, far),
  }
}

import type { HostState } from '../core/host.ts'
import type { Db } from './connect.ts'
import type { HostUse } from './hosts.ts'

/** Nova's service_down_time: an agent silent for longer counts as down. */
export const silentSecondsAllowed = 60

/** What a host is to its operator, and why it is not up. */
export function stateOf(
  host: Pick<
    HostUse,
    'isForcedDown' | 'forcedDownReason' | 'silentSeconds' | 'isEnabled' | 'disabledAs' | 'disabledReason'
  >,
): { readonly state: HostState; readonly reason: string | null } {
  if (host.isForcedDown)
    return { state: 'down', reason: host.forcedDownReason ?? 'an administrator has declared it down' }
  if (host.silentSeconds > silentSecondsAllowed)
    return { state: 'down', reason: `its agent has been silent for ${Math.round(host.silentSeconds)} s` }
  return host.isEnabled ? { state: 'up', reason: null } : { state: host.disabledAs, reason: host.disabledReason }
}

/** What Nova calls host_status. */
export type HostStatus = 'UP' | 'DOWN' | 'UNKNOWN' | 'MAINTENANCE'

/** Of hosts by name; an unknown host is not in the map. */
export async function hostStatuses(db: Db, names: readonly string[]): Promise<ReadonlyMap<string, HostStatus>> {
  const { rows } = await db.raw<{ rows: { name: string; status: HostStatus }[] }>(
    `select name, case when is_forced_down then 'DOWN'
                       when now() - heartbeat_at > make_interval(secs => ?) then 'UNKNOWN'
                       when not is_enabled then 'MAINTENANCE' else 'UP' end as status
     from hosts where name = any(?)`,
    [silentSecondsAllowed, [...names]],
  )
  return new Map(rows.map((row) => [row.name, row.status]))
}

/** A zone is available when a host in it is enabled and its agent alive. */
export interface Zone {
  readonly name: string
  readonly isAvailable: boolean
}

export async function listZones(db: Db): Promise<readonly Zone[]> {
  const { rows } = await db.raw<{ rows: Zone[] }>(
    `select zone as name, bool_or(is_enabled and not is_forced_down and now() - heartbeat_at <= make_interval(secs => ?)) as is_available
     from hosts group by zone order by zone`,
    [silentSecondsAllowed],
  )
  return rows
}

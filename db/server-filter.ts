/** Which servers are asked for. */
import type { Knex } from 'knex'
import { statusOf, taskStates, vmStates } from '../core/states.ts'

/** Of these tags: all, any, not all, none. */
export interface TagFilter {
  readonly all: readonly string[] | null
  readonly any: readonly string[] | null
  readonly notAll: readonly string[] | null
  readonly notAny: readonly string[] | null
}

export interface ServerFilter {
  /** null = of all projects */
  readonly projectId: string | null
  readonly deleted: 'no' | 'only' | 'also'
  readonly ids: readonly string[] | null
  /** regular expressions, each found anywhere in its column */
  readonly patterns: Readonly<Partial<Record<'name' | 'hostname' | 'description' | 'keyName', string>>>
  /** statuses as users see them, such as 'ACTIVE' */
  readonly statuses: readonly string[] | null
  readonly vmState: string | null
  readonly taskState: string | null
  readonly powerState: number | null
  readonly flavorId: string | null
  readonly imageId: string | null
  readonly host: string | null
  readonly userId: string | null
  readonly reservationId: string | null
  readonly availabilityZone: string | null
  readonly configDrive: boolean | null
  readonly diskConfig: string | null
  readonly launchIndex: number | null
  readonly lockedBy: string | null
  /** to the second */
  readonly times: Readonly<Partial<Record<'createdAt' | 'launchedAt' | 'terminatedAt', Date>>>
  readonly locked: boolean | null
  /** regular expressions, found anywhere in an address */
  readonly ip: string | null
  readonly ip6: string | null
  readonly accessIp: Readonly<Partial<Record<'accessIpv4' | 'accessIpv6', string>>>
  readonly changesSince: Date | null
  readonly changesBefore: Date | null
  readonly tags: TagFilter
}

type Query = Knex.QueryBuilder

/** Every pair of states that shows as one of these statuses; so that the filter says what the view says. */
function statePairs(statuses: readonly string[]): readonly string[] {
  const tasks = [null, ...taskStates]
  return vmStates.flatMap((vm) =>
    tasks.filter((task) => statuses.includes(statusOf(vm, task))).map((task) => `${vm}/${task ?? ''}`),
  )
}

function whereStates(query: Query, filter: ServerFilter): void {
  if (filter.deleted === 'no') void query.whereNull('deletedAt')
  if (filter.deleted === 'only') void query.whereNotNull('deletedAt')
  if (filter.statuses !== null)
    void query.whereRaw(`vm_state || '/' || coalesce(task_state, '') = any(?)`, [[...statePairs(filter.statuses)]])
  const asksForSoft = filter.statuses?.includes('SOFT_DELETED') === true || filter.vmState === 'soft-delete'
  if (filter.deleted === 'no' && !asksForSoft) void query.whereNot({ vmState: 'soft-delete' })
  if (filter.vmState !== null) void query.where({ vmState: filter.vmState })
  if (filter.taskState !== null) void query.where({ taskState: filter.taskState })
  if (filter.powerState !== null) void query.where({ powerState: filter.powerState })
  if (filter.locked !== null) void query.whereRaw(`(locked_by is not null) = ?`, [filter.locked])
  if (filter.changesSince !== null) void query.where('updatedAt', '>=', filter.changesSince)
  if (filter.changesBefore !== null) void query.where('updatedAt', '<=', filter.changesBefore)
}

function whereColumns(query: Query, filter: ServerFilter): void {
  const equal: Readonly<Record<string, string | number | boolean | null>> = {
    projectId: filter.projectId,
    userId: filter.userId,
    host: filter.host,
    imageId: filter.imageId,
    reservationId: filter.reservationId,
    availabilityZone: filter.availabilityZone,
    configDrive: filter.configDrive,
    diskConfig: filter.diskConfig,
    launchIndex: filter.launchIndex,
    lockedBy: filter.lockedBy,
  }
  for (const [column, value] of Object.entries(equal)) if (value !== null) void query.where(column, value)
  if (filter.ids !== null) void query.whereIn('id', [...filter.ids])
  if (filter.flavorId !== null) void query.whereRaw(`flavor->>'id' = ?`, [filter.flavorId])
  for (const [column, pattern] of Object.entries(filter.patterns)) void query.whereRaw('?? ~ ?', [column, pattern])
  for (const [column, time] of Object.entries(filter.times))
    void query.whereRaw(`date_trunc('second', ??) = ?`, [column, time])
}

function whereTags(query: Query, { all, any, notAll, notAny }: TagFilter): void {
  if (all !== null) void query.whereRaw('tags @> ?', [[...all]])
  if (any !== null) void query.whereRaw('tags && ?', [[...any]])
  if (notAll !== null) void query.whereRaw('not tags @> ?', [[...notAll]])
  if (notAny !== null) void query.whereRaw('not tags && ?', [[...notAny]])
}

function whereAddresses(query: Query, filter: ServerFilter): void {
  for (const [column, pattern] of Object.entries(filter.accessIp))
    void query.whereRaw('host(??) ~ ?', [column, pattern])
  const byAddress = [
    [4, filter.ip],
    [6, filter.ip6],
  ] as const
  for (const [family, pattern] of byAddress)
    if (pattern !== null)
      void query.whereRaw(
        `exists (select from ports p join addresses a on a.port_id = p.id
                 where p.server_id = servers.id and family(a.address) = ? and host(a.address) ~ ?)`,
        [family, pattern],
      )
}

/** Adds what a server must be to be among those asked for. */
export function whereServer(query: Query, filter: ServerFilter): void {
  whereStates(query, filter)
  whereColumns(query, filter)
  whereTags(query, filter.tags)
  whereAddresses(query, filter)
}

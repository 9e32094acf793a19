/** Lists of servers: filters, order and pages, all in one statement. */
import type { Knex } from 'knex'
import { hasCode, Invalid } from '../core/errors.ts'
import { statusOf, taskStates, vmStates } from '../core/states.ts'
import type { Db } from './connect.ts'
import type { ServerRow } from './tables.ts'

/** Sort keys of the API and their columns; only columns that are never null, so that a page can begin after any row. */
export const sortColumns = {
  created_at: 'created_at',
  updated_at: 'updated_at',
  display_name: 'name',
  uuid: 'id',
  vm_state: 'vm_state',
  power_state: 'power_state',
  availability_zone: 'availability_zone',
  project_id: 'project_id',
  user_id: 'user_id',
} as const
export type SortKey = keyof typeof sortColumns
export interface Sort {
  readonly by: SortKey
  readonly direction: 'asc' | 'desc'
}

export interface ServerFilter {
  /** null = of all projects */
  readonly projectId: string | null
  readonly deleted: 'no' | 'only' | 'also'
  readonly ids: readonly string[] | null
  /** a regular expression, found anywhere in the name */
  readonly name: string | null
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
  readonly keyName: string | null
  readonly availabilityZone: string | null
  readonly locked: boolean | null
  /** regular expressions, found anywhere in an address */
  readonly ip: string | null
  readonly ip6: string | null
  readonly changesSince: Date | null
  readonly changesBefore: Date | null
  readonly tags: readonly string[] | null
  readonly limit: number
  /** id of the last server of the page before; it must exist */
  readonly marker: string | null
  readonly sort: readonly Sort[]
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
  const equal: Readonly<Record<string, string | null>> = {
    projectId: filter.projectId,
    userId: filter.userId,
    host: filter.host,
    imageId: filter.imageId,
    reservationId: filter.reservationId,
    keyName: filter.keyName,
    availabilityZone: filter.availabilityZone,
  }
  for (const [column, value] of Object.entries(equal)) if (value !== null) void query.where(column, value)
  if (filter.ids !== null) void query.whereIn('id', [...filter.ids])
  if (filter.flavorId !== null) void query.whereRaw(`flavor->>'id' = ?`, [filter.flavorId])
  if (filter.name !== null) void query.whereRaw('name ~ ?', [filter.name])
  if (filter.tags !== null) void query.whereRaw('tags @> ?', [[...filter.tags]])
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

/** Keys that all go one way are compared at once, as an index does: a page far down costs no more than the first. */
function afterAtOnce(query: Query, marker: string, sort: readonly Sort[]): void {
  const columns = sort.map(({ by }) => sortColumns[by])
  const names = columns.map(() => '??').join(', ')
  void query.whereRaw(
    `(${names}) ${sort[0]?.direction === 'asc' ? '>' : '<'} (select ${names} from servers where id = ?)`,
    [...columns, ...columns, marker],
  )
}

/** The rows after the marker: equal in the first keys and beyond it in the next, for each key. The marker's values stay in the database, exact. */
function after(query: Query, marker: string, sort: readonly Sort[]): void {
  if (sort.every(({ direction }) => direction === sort[0]?.direction)) {
    afterAtOnce(query, marker, sort)
    return
  }
  void query.where((any) => {
    sort.forEach((last, depth) => {
      void any.orWhere((all) => {
        for (const same of sort.slice(0, depth))
          void all.whereRaw('?? = (select ?? from servers where id = ?)', [
            sortColumns[same.by],
            sortColumns[same.by],
            marker,
          ])
        const sign = last.direction === 'asc' ? '>' : '<'
        const column = sortColumns[last.by]
        void all.whereRaw(`?? ${sign} (select ?? from servers where id = ?)`, [column, column, marker])
      })
    })
  })
}

function isBadPattern(error: unknown): boolean {
  return hasCode(error, '2201B')
}

/** The servers of one page, in its order; the caller selects what it wants of them. */
export function serversOn(db: Db, filter: ServerFilter): Knex.QueryBuilder<ServerRow> {
  const wanted = filter.sort.length > 0 ? filter.sort : [{ by: 'created_at', direction: 'desc' } as const]
  const direction = wanted.at(-1)?.direction ?? 'desc'
  const sort: readonly Sort[] = wanted.some(({ by }) => by === 'uuid') ? wanted : [...wanted, { by: 'uuid', direction }]
  const query = db('servers').limit(filter.limit)
  whereStates(query, filter)
  whereColumns(query, filter)
  if (filter.marker !== null) after(query, filter.marker, sort)
  for (const { by, direction: order } of sort) void query.orderBy(sortColumns[by], order)
  return query
}

/** @throws Invalid when a pattern of the filter is no regular expression */
export async function readPage<T>(page: PromiseLike<readonly T[]>): Promise<readonly T[]> {
  try {
    return await page
  } catch (error) {
    if (isBadPattern(error)) throw new Invalid('Invalid regular expression in a filter.', { cause: error })
    throw error
  }
}

/** One page of servers, by name. @throws Invalid as `readPage` does */
export async function listNames(db: Db, filter: ServerFilter): Promise<readonly Pick<ServerRow, 'id' | 'name'>[]> {
  return await readPage(serversOn(db, filter).select('id', 'name'))
}

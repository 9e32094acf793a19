/** Lists of servers: filters, order and pages, all in one statement. */
import type { Knex } from 'knex'
import { hasCode, Invalid } from '../core/errors.ts'
import type { Db } from './connect.ts'
import { whereServer, type ServerFilter } from './server-filter.ts'
import type { ServerRow } from './tables.ts'

/**
 * Sort keys of the API, and what each sorts by: never null, so that a page can begin after any row. What Nova sorts by and is the same for
 * all servers here sorts by nothing but the id.
 */
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
  hostname: 'hostname',
  launch_index: 'launch_index',
  config_drive: 'config_drive',
  auto_disk_config: 'disk_config',
  instance_type_id: `flavor->>'id'`,
  display_description: `coalesce(description, '')`,
  host: `coalesce(host, '')`,
  node: `coalesce(host, '')`,
  image_ref: `coalesce(image_id::text, '')`,
  key_name: `coalesce(key_name, '')`,
  task_state: `coalesce(task_state, '')`,
  locked: '(locked_by is not null)',
  locked_by: `coalesce(locked_by, '')`,
  launched_at: `coalesce(launched_at, '-infinity')`,
  terminated_at: `coalesce(terminated_at, '-infinity')`,
  access_ip_v4: `coalesce(host(access_ipv4), '')`,
  access_ip_v6: `coalesce(host(access_ipv6), '')`,
  kernel_id: 'id',
  ramdisk_id: 'id',
  root_device_name: 'id',
  progress: 'id',
} as const
export type SortKey = keyof typeof sortColumns
export interface Sort {
  readonly by: SortKey
  readonly direction: 'asc' | 'desc'
}

/** Which of the servers asked for one reply lists. */
export interface ServerPage extends ServerFilter {
  readonly limit: number
  /** id of the last server of the page before; it must exist */
  readonly marker: string | null
  readonly sort: readonly Sort[]
}

type Query = Knex.QueryBuilder

/** Keys that all go one way are compared at once, as an index does: a page far down costs no more than the first. */
function afterAtOnce(query: Query, marker: string, sort: readonly Sort[]): void {
  const columns = sort.map(({ by }) => sortColumns[by]).join(', ')
  const sign = sort[0]?.direction === 'asc' ? '>' : '<'
  void query.whereRaw(`(${columns}) ${sign} (select ${columns} from servers where id = ?)`, [marker])
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
          void all.whereRaw(`${sortColumns[same.by]} = (select ${sortColumns[same.by]} from servers where id = ?)`, [
            marker,
          ])
        const sign = last.direction === 'asc' ? '>' : '<'
        const column = sortColumns[last.by]
        void all.whereRaw(`${column} ${sign} (select ${column} from servers where id = ?)`, [marker])
      })
    })
  })
}

function isBadPattern(error: unknown): boolean {
  return hasCode(error, '2201B')
}

/** The servers of one page, in its order; the caller selects what it wants of them. */
export function serversOn(db: Db, filter: ServerPage): Knex.QueryBuilder<ServerRow> {
  const wanted = filter.sort.length > 0 ? filter.sort : [{ by: 'created_at', direction: 'desc' } as const]
  const direction = wanted.at(-1)?.direction ?? 'desc'
  const sort: readonly Sort[] = wanted.some(({ by }) => by === 'uuid') ? wanted : [...wanted, { by: 'uuid', direction }]
  const query = db('servers').limit(filter.limit)
  whereServer(query, filter)
  if (filter.marker !== null) after(query, filter.marker, sort)
  for (const { by, direction: order } of sort) void query.orderByRaw(`${sortColumns[by]} ${order}`)
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
export async function listNames(db: Db, filter: ServerPage): Promise<readonly Pick<ServerRow, 'id' | 'name'>[]> {
  return await readPage(serversOn(db, filter).select('id', 'name'))
}

/** GET /servers and /servers/detail: order and pages; what is asked for is read in filters.ts. */
import { Invalid, NotFound } from '../../../core/errors.ts'
import { isUuid } from '../../../core/uuid.ts'
import { listNames, sortColumns, type ServerPage, type Sort, type SortKey } from '../../../db/server-list.ts'
import { listShown } from '../../../db/shown-servers.ts'
import type { Microversion } from '../../microversion.ts'
import { linksField, nextHref, pageOf } from '../../page.ts'
import type { Call, Reply } from '../../route.ts'
import { serverReference, serverView } from '../views/server.ts'
import { filterOf } from './filters.ts'
import { serverOf } from './find.ts'

/** What Nova sorted by before it looked closely, and ignores until 2.75. */
const ignoredSortKeys: readonly string[] = [
  ...['architecture', 'cell_name', 'cleaned', 'default_ephemeral_device', 'default_swap_device', 'deleted'],
  ...['deleted_at', 'disable_terminate', 'ephemeral_gb', 'ephemeral_key_uuid', 'id', 'key_data', 'launched_on'],
  ...['memory_mb', 'os_type', 'reservation_id', 'root_gb', 'shutdown_terminate', 'user_data', 'vcpus', 'vm_mode'],
]

function isSortKey(key: string): key is SortKey {
  return Object.hasOwn(sortColumns, key)
}

function isIgnored(key: string, version: Microversion): boolean {
  return (ignoredSortKeys.includes(key) && version < 75) || (key === 'locked' && version < 73)
}

function sortOf({ query, version }: Call): readonly Sort[] {
  const directions = query.getAll('sort_dir')
  return query.getAll('sort_key').flatMap((key, place) => {
    const direction = directions[place] ?? directions.at(-1) ?? 'desc'
    if (direction !== 'asc' && direction !== 'desc')
      throw new Invalid(
        `Invalid input for query parameters sort_dir. Value: ${direction}. '${direction}' is not one of ['asc', 'desc']`,
      )
    if (isIgnored(key, version)) return []
    if (!isSortKey(key))
      throw new Invalid(`Invalid input for query parameters sort_key. Value: ${key}. The server cannot be sorted by it`)
    return { by: key, direction }
  })
}

interface Entry {
  readonly id: string
  readonly view: unknown
}

function pageIn(call: Call): ServerPage {
  const page = pageOf(call.query)
  if (page.marker !== null && !isUuid(page.marker)) throw new Invalid(`marker [${page.marker}] not found`)
  return { ...filterOf(call), ...page, sort: sortOf(call) }
}

async function list(call: Call, read: (page: ServerPage) => Promise<readonly Entry[]>): Promise<Reply> {
  const filter = pageIn(call)
  if (filter.marker !== null)
    await serverOf(call, filter.marker, { deleted: true }).catch((error: unknown) => {
      throw error instanceof NotFound
        ? new Invalid(`marker [${String(filter.marker)}] not found`, { cause: error })
        : error
    })
  const entries = filter.limit === 0 ? [] : await read(filter)
  const href = nextHref(
    call,
    filter,
    entries.map(({ id }) => id),
  )
  return { status: 200, body: { servers: entries.map(({ view }) => view), ...linksField('servers', href) } }
}

export async function index(call: Call): Promise<Reply> {
  return await list(call, async (filter) =>
    (await listNames(call.db, filter)).map((server) => ({ id: server.id, view: serverReference(server, call.root) })),
  )
}

export async function detail(call: Call): Promise<Reply> {
  const shown = { version: call.version, root: call.root, isAdmin: call.caller.isAdmin, as: 'detail' } as const
  return await list(call, async (filter) =>
    (await listShown(call.db, filter)).map((server) => ({ id: server.id, view: serverView(server, shown) })),
  )
}

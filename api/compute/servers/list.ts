/** GET /servers and /servers/detail. Source of the filters: nova/api/openstack/compute/servers.py. */
import { z } from 'zod'
import { Forbidden, Invalid, NotFound } from '../../../core/errors.ts'
import { statusOf, taskStates, vmStates } from '../../../core/states.ts'
import { isUuid } from '../../../core/uuid.ts'
import { listNames, sortColumns, type ServerFilter, type Sort, type SortKey } from '../../../db/server-list.ts'
import { listShown } from '../../../db/shown-servers.ts'
import { queryRecord } from '../../body.ts'
import { projectOf } from '../../caller.ts'
import { linksField, nextHref, pageOf } from '../../page.ts'
import { isAllowed } from '../../policy.ts'
import type { Call, Reply } from '../../route.ts'
import { serverReference, serverView } from '../views/server.ts'
import { serverOf } from './find.ts'

const known: ReadonlySet<string> = new Set(
  vmStates.flatMap((vm) => [null, ...taskStates].map((task) => statusOf(vm, task))),
)

const isoDate = /^\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?$/i

/** @throws Invalid when the parameter is no ISO 8601 time */
export function timeOf(query: URLSearchParams, name: string): Date | null {
  const text = query.get(name)
  if (text === null) return null
  const zoned = /([Tt ][\d:.]+)(Z|[+-]\d\d:?\d\d)$/i.test(text) || !/[Tt ]/.test(text) ? text : `${text}Z`
  const time = new Date(zoned.replace(' ', 'T'))
  if (!isoDate.test(text) || Number.isNaN(time.getTime()))
    throw new Invalid(`Invalid input for query parameters ${name}. Value: ${text}. '${text}' is not a 'date-time'`)
  return time
}

function flag(text: string | undefined): boolean {
  return text !== undefined && ['1', 't', 'true', 'on', 'y', 'yes', ''].includes(text.toLowerCase())
}

/** An unknown status is an error from 2.38 on; before, it is a status that no server has. */
function statusesOf({ query, version }: Call): readonly string[] | null {
  const asked = query.getAll('status').map((status) => status.toUpperCase())
  const unknown = asked.find((status) => !known.has(status))
  if (unknown !== undefined && version >= 38) throw new Invalid(`Invalid status value: ${unknown}`)
  return asked.length > 0 ? asked : null
}

function isSortKey(key: string): key is SortKey {
  return Object.hasOwn(sortColumns, key)
}

function sortOf(query: URLSearchParams): readonly Sort[] {
  const directions = query.getAll('sort_dir')
  return query.getAll('sort_key').map((key, place) => {
    const direction = directions[place] ?? directions.at(-1) ?? 'desc'
    if (!isSortKey(key))
      throw new Invalid(`Invalid input for query parameters sort_key. Value: ${key}. The server cannot be sorted by it`)
    if (direction !== 'asc' && direction !== 'desc')
      throw new Invalid(
        `Invalid input for query parameters sort_dir. Value: ${direction}. '${direction}' is not one of ['asc', 'desc']`,
      )
    return { by: key, direction }
  })
}

/** Whose servers: the project's own, unless an administrator asks for all or for another project's. */
function scopeOf({ caller }: Call, query: Readonly<Record<string, string>>): string | null {
  const other = query.project_id ?? query.tenant_id
  if (!flag(query.all_tenants)) return projectOf(caller)
  if (!isAllowed(caller, 'os_compute_api:servers:index:get_all_tenants'))
    throw new Forbidden("Policy doesn't allow os_compute_api:servers:index:get_all_tenants to be performed.")
  return other ?? null
}

/** Filters that only administrators have; from others they are ignored, as Nova does. */
function adminFilters(
  call: Call,
  query: Readonly<Record<string, string>>,
): Pick<ServerFilter, 'host' | 'vmState' | 'taskState' | 'userId'> {
  const own = call.caller.isAdmin ? query : {}
  return {
    host: own.host ?? own.node ?? null,
    vmState: own.vm_state ?? null,
    taskState: own.task_state ?? null,
    userId: own.user_id ?? null,
  }
}

function deletedOf({ caller }: Call, query: Readonly<Record<string, string>>): ServerFilter['deleted'] {
  if (query['changes-since'] !== undefined) return 'also'
  const asked = flag(query.deleted ?? 'no') || query.status?.toUpperCase() === 'DELETED'
  return caller.isAdmin && asked ? 'only' : 'no'
}

/** A pattern that is none is taken as plain text. */
function pattern(text: string | undefined): string | null {
  if (text === undefined || text === '') return null
  try {
    new RegExp(text)
    return text
  } catch (error) {
    if (error instanceof SyntaxError) return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
    throw error
  }
}

const powerState = z.coerce.number().int().nullable().catch(null)

function filterOf(call: Call): ServerFilter {
  const { query, version } = call
  const record = queryRecord(query)
  const page = pageOf(query)
  if (page.marker !== null && !isUuid(page.marker)) throw new Invalid(`marker [${page.marker}] not found`)
  const image = record.image?.slice(record.image.lastIndexOf('/') + 1)
  const impossible = '00000000-0000-0000-0000-000000000000'
  return {
    ...page,
    ...adminFilters(call, record),
    projectId: scopeOf(call, record),
    deleted: deletedOf(call, record),
    ids: record.uuid === undefined ? null : [isUuid(record.uuid) ? record.uuid : impossible],
    name: pattern(record.name ?? record.display_name),
    statuses: statusesOf(call),
    powerState: record.power_state === undefined ? null : powerState.parse(record.power_state),
    flavorId: record.flavor?.slice(record.flavor.lastIndexOf('/') + 1) ?? null,
    imageId: image === undefined ? null : isUuid(image) ? image : impossible,
    reservationId: record.reservation_id ?? null,
    keyName: record.key_name ?? null,
    availabilityZone: record.availability_zone ?? null,
    locked: version >= 73 && record.locked !== undefined ? flag(record.locked) : null,
    ip: pattern(record.ip),
    ip6: pattern(record.ip6),
    changesSince: timeOf(query, 'changes-since'),
    changesBefore: version >= 66 ? timeOf(query, 'changes-before') : null,
    tags: version >= 26 && record.tags !== undefined ? record.tags.split(',') : null,
    sort: sortOf(query),
  }
}

interface Entry {
  readonly id: string
  readonly view: unknown
}

async function list(call: Call, read: (filter: ServerFilter) => Promise<readonly Entry[]>): Promise<Reply> {
  const filter = filterOf(call)
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

/** /os-migrations: moves and resizes of servers. Source: nova/api/openstack/compute/migrations.py. */
import { CloudError, Invalid } from '../../core/errors.ts'
import { phaseOf } from '../../core/moves.ts'
import { isUuid } from '../../core/uuid.ts'
import { openMove } from '../../db/moves.ts'
import { isMigration, listMigrations, type MigrationFilter } from '../../db/server-migrations.ts'
import type { ServerMigrationRow } from '../../db/tables.ts'
import type { Microversion } from '../microversion.ts'
import { linksField, maxLimit, nextHref, pageOf } from '../page.ts'
import type { Call, Reply } from '../route.ts'
import { refuseParameters } from './keys.ts'
import { serverOf } from './servers/find.ts'
import { spanIn } from './times.ts'

type Json = Readonly<Record<string, unknown>>

function time(date: Date): string {
  return date.toISOString().replace('Z', '000')
}

/** Nova's own flavors have a number beside their id; here only ids that are numbers can be told. */
function numberOf({ id }: { readonly id: string }): number | null {
  return /^\d{1,9}$/.test(id) ? Number(id) : null
}

function view(row: ServerMigrationRow, version: number): Json {
  return {
    id: row.id,
    instance_uuid: row.serverId,
    status: row.status,
    source_compute: row.sourceHost,
    source_node: row.sourceHost,
    dest_compute: row.targetHost,
    dest_node: row.targetHost,
    dest_host: null,
    old_instance_type_id: numberOf(row.oldFlavor),
    new_instance_type_id: numberOf(row.newFlavor),
    created_at: time(row.createdAt),
    updated_at: time(row.updatedAt),
    ...(version >= 23 ? { migration_type: row.type } : {}),
    ...(version >= 59 ? { uuid: row.uuid } : {}),
    ...(version >= 80 ? { user_id: row.userId, project_id: row.projectId } : {}),
  }
}

const parameters = ['hidden', 'host', 'instance_uuid', 'source_compute', 'status', 'migration_type'] as const

/** Where the list has pages, it knows its parameters. */
function knownAt(version: Microversion): readonly string[] {
  const before = version >= 66 ? ['changes-before'] : []
  const owner = version >= 80 ? ['user_id', 'project_id'] : []
  return [...parameters, 'limit', 'marker', 'changes-since', ...before, ...owner]
}

async function filterOf({ db, query, version }: Call): Promise<MigrationFilter> {
  refuseParameters(query, knownAt(version), version, 59)
  const serverId = query.get('instance_uuid')
  const page = version >= 59 ? pageOf(query) : { limit: maxLimit, marker: null }
  if (page.marker !== null && !(isUuid(page.marker) && (await isMigration(db, page.marker))))
    throw new Invalid(`Marker ${page.marker} could not be found.`)
  return {
    ...page,
    serverId: serverId === null || isUuid(serverId) ? serverId : '00000000-0000-0000-0000-000000000000',
    host: query.get('host'),
    sourceHost: query.get('source_compute'),
    status: query.get('status'),
    type: query.get('migration_type'),
    projectId: version >= 80 ? query.get('project_id') : null,
    userId: version >= 80 ? query.get('user_id') : null,
    ...spanIn(query, { since: version >= 59, before: version >= 66 }),
  }
}

export async function index(call: Call): Promise<Reply> {
  const { db, query, version } = call
  const filter = await filterOf(call)
  // None is hidden here.
  const isHidden = ['1', 'true', 'True'].includes(query.get('hidden') ?? '')
  const rows = isHidden ? [] : await listMigrations(db, filter)
  const uuids = rows.map(({ uuid }) => uuid)
  const href = version >= 59 ? nextHref(call, filter, uuids) : null
  return {
    status: 200,
    body: { migrations: rows.map((row) => view(row, version)), ...linksField('migrations', href) },
  }
}

/** Nova's name for a move that is being worked on is the same as here; a move that waits for its user is none. */
const working: readonly string[] = ['pre-migrating', 'migrating', 'post-migrating']

/**
 * A move that is under way. Nova shows moves of running guests here, with their memory; a guest here moves cold, and has a disk alone.
 * What Nova has no word for begins with `berth:`.
 */
function progressView(row: ServerMigrationRow, version: number): Json {
  const { bytesTotal, bytesDone, bytesPerSecond } = row
  const left = Math.max(0, bytesTotal - bytesDone)
  return {
    id: row.id,
    server_uuid: row.serverId,
    status: row.status,
    source_compute: row.sourceHost,
    source_node: row.sourceHost,
    dest_compute: row.targetHost,
    dest_node: row.targetHost,
    dest_host: null,
    created_at: time(row.createdAt),
    updated_at: time(row.updatedAt),
    memory_total_bytes: 0,
    memory_processed_bytes: 0,
    memory_remaining_bytes: 0,
    disk_total_bytes: bytesTotal,
    disk_processed_bytes: bytesDone,
    disk_remaining_bytes: left,
    ...(version >= 59 ? { uuid: row.uuid } : {}),
    ...(version >= 80 ? { user_id: row.userId, project_id: row.projectId } : {}),
    'berth:phase': phaseOf(row),
    'berth:transport': row.transport,
    'berth:transport_reason': row.transportReason,
    'berth:bytes_per_second': bytesPerSecond,
    'berth:seconds_left': bytesPerSecond > 0 ? Math.ceil(left / bytesPerSecond) : null,
  }
}

async function underWay(call: Call): Promise<readonly ServerMigrationRow[]> {
  const server = await serverOf(call, call.params.id)
  const move = await openMove(call.db, server.id)
  return move && working.includes(move.status) ? [move] : []
}

/** GET /servers/{id}/migrations: the move that is under way, if any. */
export async function indexOf(call: Call): Promise<Reply> {
  const migrations = (await underWay(call)).map((row) => progressView(row, call.version))
  return { status: 200, body: { migrations } }
}

/** GET /servers/{id}/migrations/{id} */
export async function showOf(call: Call): Promise<Reply> {
  const { id = '', migration = '' } = call.params
  const [row] = await underWay(call)
  if (!row || String(row.id) !== migration)
    throw new CloudError('not-found', `In-progress live migration ${migration} is not found for server ${id}.`)
  return { status: 200, body: { migration: progressView(row, call.version) } }
}

/** What was done to a server, and what came of it. */
import { Invalid, NotFound } from '../../core/errors.ts'
import { eventsOf, findAction, listActions } from '../../db/actions.ts'
import type { ServerActionEventRow, ServerActionRow } from '../../db/tables.ts'
import { linksField, maxLimit, nextHref, pageOf } from '../page.ts'
import { isAllowed } from '../policy.ts'
import type { Call, Reply } from '../route.ts'
import { refuseParameters } from './keys.ts'
import { hostIdOf } from './views/server.ts'
import { serverOf } from './servers/find.ts'
import { spanIn } from './times.ts'
import type { Server } from '../../core/server.ts'

type Json = Readonly<Record<string, unknown>>

/** With microseconds and no zone, as Nova writes these. */
function time(date: Date): string {
  return date.toISOString().replace('Z', '000')
}

function actionView(row: ServerActionRow, version: number): Json {
  return {
    action: row.action,
    instance_uuid: row.serverId,
    request_id: row.requestId,
    user_id: row.userId,
    project_id: row.projectId,
    start_time: time(row.startedAt),
    message: row.message,
    ...(version >= 58 ? { updated_at: time(row.updatedAt) } : {}),
  }
}

function eventView(row: ServerActionEventRow, server: Server, { version, caller }: Call): Json {
  const isAdmin = isAllowed(caller, 'os_compute_api:os-instance-actions:events:details')
  return {
    event: row.event,
    start_time: time(row.startedAt),
    finish_time: row.finishedAt === null ? null : time(row.finishedAt),
    result: row.result,
    ...(isAdmin ? { traceback: null } : {}),
    ...(version >= 62 && isAdmin ? { host: row.host } : {}),
    ...(version >= 62 ? { hostId: hostIdOf({ ...server, host: row.host }) } : {}),
    ...(version >= 84 && isAdmin ? { details: row.details } : {}),
  }
}

/** Of a deleted server from 2.21 on. */
async function subject(call: Call): Promise<Server> {
  return await serverOf(call, call.params.id, { deleted: call.version >= 21 })
}

export async function index(call: Call): Promise<Reply> {
  const server = await subject(call)
  const isPaged = call.version >= 58
  const before = call.version >= 66 ? ['changes-before'] : []
  refuseParameters(call.query, ['limit', 'marker', 'changes-since', ...before], call.version, 58)
  const page = isPaged ? pageOf(call.query) : { limit: maxLimit, marker: null }
  if (page.marker !== null && !(await findAction(call.db, server.id, page.marker)))
    throw new Invalid(`marker [${page.marker}] not found`)
  const rows = await listActions(call.db, server.id, {
    ...page,
    ...spanIn(call.query, { since: isPaged, before: call.version >= 66 }),
  })
  const href = isPaged
    ? nextHref(
        call,
        page,
        rows.map(({ requestId }) => requestId),
      )
    : null
  return {
    status: 200,
    body: { instanceActions: rows.map((row) => actionView(row, call.version)), ...linksField('links', href) },
  }
}

export async function show(call: Call): Promise<Reply> {
  const server = await subject(call)
  const requestId = call.params.requestId ?? ''
  const row = await findAction(call.db, server.id, requestId)
  if (!row) throw new NotFound('Action for request_id', `${requestId} on instance ${server.id}`)
  const showsEvents = call.version >= 51 || call.caller.isAdmin
  const events = showsEvents ? await eventsOf(call.db, row.id) : []
  const view = actionView(row, call.version)
  const body = showsEvents ? { ...view, events: events.map((event) => eventView(event, server, call)) } : view
  return { status: 200, body: { instanceAction: body } }
}

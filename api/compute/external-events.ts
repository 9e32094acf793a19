/**
 * POST /os-server-external-events: what the services of ports tell about servers. Ports are rows of the same database here, and their
 * views are made anew at each request: an event is taken, and changes nothing. Source: nova/api/openstack/compute/server_external_events.py.
 */
import { z } from 'zod'
import { NotFound } from '../../core/errors.ts'
import { findServer } from '../../db/servers.ts'
import { parseBody } from '../body.ts'
import type { Call, Reply } from '../route.ts'

const names = ['network-changed', 'network-vif-plugged', 'network-vif-unplugged', 'network-vif-deleted'] as const

const body = z.strictObject({
  events: z
    .array(
      z.strictObject({
        name: z.enum(names),
        server_uuid: z.uuid(),
        status: z.enum(['failed', 'completed', 'in-progress']).default('completed'),
        tag: z.string().max(255).optional(),
      }),
    )
    .min(1),
})
type Event = z.output<typeof body>['events'][number]

/** 404 for a server that is not there, 422 for one that stands on no host. */
async function codeOf({ db }: Call, { server_uuid: id }: Event): Promise<number> {
  const server = await findServer(db, id)
  if (server?.deletedAt !== null) return 404
  return server.host === null ? 422 : 200
}

class NoServers extends NotFound {
  constructor() {
    super('Instance', 'of any event')
    this.message = 'No instances found for any event'
  }
}

/** Each event is answered by a code of its own; 207 when they differ from 200. @throws NotFound when no event names a server with a host */
export async function create(call: Call): Promise<Reply> {
  const { events } = parseBody(body, call.body)
  const answers = await Promise.all(events.map(async (event) => ({ ...event, code: await codeOf(call, event) })))
  if (!answers.some(({ code }) => code === 200)) throw new NoServers()
  const view = answers.map((answer) => ({
    ...answer,
    status: answer.code === 200 ? answer.status : 'failed',
  }))
  return { status: answers.every(({ code }) => code === 200) ? 200 : 207, body: { events: view } }
}

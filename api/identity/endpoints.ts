import { z } from 'zod'
import { Invalid } from '../../core/errors.ts'
import * as rows from '../../db/identity/catalogue.ts'
import type { EndpointRow } from '../../db/tables.ts'
import { parseBody } from '../body.ts'
import type { Call, Reply } from '../route.ts'
import { filterOf, found, listReply, self, type Json } from './answer.ts'
import { newId } from './bodies.ts'

/** The URL as it was given, its placeholders not filled in. */
function view(call: Call, { id, serviceId, regionId, interface: kind, url, enabled }: EndpointRow): Json {
  return {
    id,
    service_id: serviceId,
    region: regionId,
    region_id: regionId,
    interface: kind,
    url,
    enabled,
    links: self(call, `endpoints/${id}`),
  }
}

export async function index(call: Call): Promise<Reply> {
  const all = await rows.listEndpoints(call.db, filterOf(call, ['service_id', 'region_id', 'interface']))
  return listReply(
    call,
    'endpoints',
    all.map((row) => view(call, row)),
  )
}

async function find({ db, params: { id = '' } }: Call): Promise<EndpointRow> {
  return found(await rows.findEndpoint(db, id), 'endpoint', id)
}

export async function show(call: Call): Promise<Reply> {
  return { status: 200, body: { endpoint: view(call, await find(call)) } }
}

const kinds = z.enum(['public', 'internal', 'admin'])
/** A URL that may have placeholders, such as %(project_id)s or $(public_endpoint)s. */
const urlField = z
  .string()
  .min(1)
  .max(2048)
  .regex(/^(https?:\/\/|[$%]\(public_endpoint\)s)\S*$/)
const optional = {
  name: z.string().max(255).optional(),
  region_id: z.string().max(255).nullable().optional(),
  region: z.string().max(255).nullable().optional(),
  enabled: z.boolean().optional(),
}
const newEndpoint = z.object({
  endpoint: z.object({ ...optional, service_id: z.string(), interface: kinds, url: urlField }),
})
const changedEndpoint = z.object({
  endpoint: z.object({
    ...optional,
    service_id: z.string().optional(),
    interface: kinds.optional(),
    url: urlField.optional(),
  }),
})

/** @throws Invalid when the service or the region is not there */
async function check(
  { db }: Call,
  { serviceId, regionId }: { readonly serviceId: string | undefined; readonly regionId: string | null | undefined },
): Promise<void> {
  if (serviceId !== undefined && !(await rows.findService(db, serviceId)))
    throw new Invalid(`Could not find service: ${serviceId}.`)
  if (typeof regionId === 'string' && !(await rows.findRegion(db, regionId)))
    throw new Invalid(`Could not find region: ${regionId}.`)
}

export async function create(call: Call): Promise<Reply> {
  const { endpoint } = parseBody(newEndpoint, call.body)
  const { service_id: serviceId, interface: kind, url, name = '', enabled = true } = endpoint
  const regionId = endpoint.region_id ?? endpoint.region ?? null
  await check(call, { serviceId, regionId })
  const id = newId()
  await rows.insertEndpoint(call.db, { id, serviceId, regionId, interface: kind, url, name, enabled })
  const row = found(await rows.findEndpoint(call.db, id), 'endpoint', id)
  return { status: 201, body: { endpoint: view(call, row) } }
}

export async function update(call: Call): Promise<Reply> {
  const { id } = await find(call)
  const { endpoint } = parseBody(changedEndpoint, call.body)
  const { service_id: serviceId, interface: kind, url, name, enabled } = endpoint
  const regionId = endpoint.region_id ?? endpoint.region
  await check(call, { serviceId, regionId })
  const change = { serviceId, regionId, interface: kind, url, name, enabled }
  const row = found(await rows.updateEndpoint(call.db, id, change), 'endpoint', id)
  return { status: 200, body: { endpoint: view(call, row) } }
}

export async function remove(call: Call): Promise<Reply> {
  const { id } = await find(call)
  await rows.deleteEndpoint(call.db, id)
  return { status: 204 }
}

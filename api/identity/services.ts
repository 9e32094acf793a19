import { z } from 'zod'
import * as rows from '../../db/identity/catalogue.ts'
import type { ServiceRow } from '../../db/tables.ts'
import { parseBody } from '../body.ts'
import type { Call, Reply } from '../route.ts'
import { filterOf, found, listReply, self, type Json } from './answer.ts'
import { descriptionField, newId } from './bodies.ts'

function view(call: Call, { id, type, name, description, enabled }: ServiceRow): Json {
  return { id, type, name, description, enabled, links: self(call, `services/${id}`) }
}

export async function index(call: Call): Promise<Reply> {
  const all = await rows.listServices(call.db, filterOf(call, ['type', 'name']))
  return listReply(
    call,
    'services',
    all.map((row) => view(call, row)),
  )
}

async function find({ db, params: { id = '' } }: Call): Promise<ServiceRow> {
  return found(await rows.findService(db, id), 'service', id)
}

export async function show(call: Call): Promise<Reply> {
  return { status: 200, body: { service: view(call, await find(call)) } }
}

const fields = {
  name: z.string().max(255).optional(),
  description: descriptionField,
  enabled: z.boolean().optional(),
}
const typeField = z.string().min(1).max(255)
const newService = z.object({ service: z.object({ ...fields, type: typeField }) })
const changedService = z.object({ service: z.object({ ...fields, type: typeField.optional() }) })

export async function create(call: Call): Promise<Reply> {
  const { type, name = '', description, enabled = true } = parseBody(newService, call.body).service
  const id = newId()
  await rows.insertService(call.db, { id, type, name, description: description ?? '', enabled })
  const row = found(await rows.findService(call.db, id), 'service', id)
  return { status: 201, body: { service: view(call, row) } }
}

export async function update(call: Call): Promise<Reply> {
  const { id } = await find(call)
  const { type, name, description, enabled } = parseBody(changedService, call.body).service
  const change = { type, name, description: description === null ? '' : description, enabled }
  const row = found(await rows.updateService(call.db, id, change), 'service', id)
  return { status: 200, body: { service: view(call, row) } }
}

export async function remove(call: Call): Promise<Reply> {
  const { id } = await find(call)
  await rows.deleteService(call.db, id)
  return { status: 204 }
}

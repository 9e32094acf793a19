import { z } from 'zod'
import * as rows from '../../db/identity/roles.ts'
import type { RoleRow } from '../../db/tables.ts'
import { parseBody } from '../body.ts'
import type { Call, Reply } from '../route.ts'
import { filterOf, found, listReply, self, type Json } from './answer.ts'
import { descriptionField, nameField, newId, noOptions } from './bodies.ts'

export function roleView(call: Call, { id, name, description }: RoleRow): Json {
  const shown = description === '' ? null : description
  return { id, name, domain_id: null, description: shown, options: {}, links: self(call, `roles/${id}`) }
}

/** There are no roles of one domain. */
export async function index(call: Call): Promise<Reply> {
  const hasDomain = (call.query.get('domain_id') ?? '') !== ''
  const all = hasDomain ? [] : await rows.listRoles(call.db, filterOf(call, ['id', 'name']))
  return listReply(
    call,
    'roles',
    all.map((row) => roleView(call, row)),
  )
}

export async function findRole({ db }: Call, id: string): Promise<RoleRow> {
  return found(await rows.findRole(db, { id }), 'role', id)
}

export async function show(call: Call): Promise<Reply> {
  return { status: 200, body: { role: roleView(call, await findRole(call, call.params.id ?? '')) } }
}

const fields = {
  description: descriptionField,
  domain_id: z.null('Roles of one domain are not supported.').optional(),
  options: noOptions,
}
const newRole = z.object({ role: z.object({ ...fields, name: nameField }) })
const changedRole = z.object({ role: z.object({ ...fields, name: nameField.optional() }) })

export async function create(call: Call): Promise<Reply> {
  const { name, description } = parseBody(newRole, call.body).role
  const role = { id: newId(), name, description: description ?? '' }
  await rows.insertRole(call.db, role)
  return { status: 201, body: { role: roleView(call, role) } }
}

export async function update(call: Call): Promise<Reply> {
  const { id } = await findRole(call, call.params.id ?? '')
  const { name, description } = parseBody(changedRole, call.body).role
  const changed = await rows.updateRole(call.db, id, { name, description: description === null ? '' : description })
  return { status: 200, body: { role: roleView(call, found(changed, 'role', id)) } }
}

export async function remove(call: Call): Promise<Reply> {
  const { id } = await findRole(call, call.params.id ?? '')
  await rows.deleteRole(call.db, id)
  return { status: 204 }
}

import { z } from 'zod'
import { Forbidden } from '../../core/errors.ts'
import * as rows from '../../db/identity/domains.ts'
import type { DomainRow } from '../../db/tables.ts'
import { parseBody } from '../body.ts'
import type { Call, Reply } from '../route.ts'
import { allowIn, filterOf, found, listReply, self, type Json } from './answer.ts'
import { descriptionField, nameField, newId, noOptions, tagsField } from './bodies.ts'

export function domainView(call: Call, { id, name, description, enabled, tags }: DomainRow): Json {
  return { id, name, description, enabled, tags, options: {}, links: self(call, `domains/${id}`) }
}

/** A token of a domain sees its own. */
export async function index(call: Call): Promise<Reply> {
  const all = await rows.listDomains(call.db, filterOf(call, ['id', 'name', 'enabled']))
  const { domainId } = call.caller
  const seen = all.filter(({ id }) => domainId === null || id === domainId)
  return listReply(
    call,
    'domains',
    seen.map((row) => domainView(call, row)),
  )
}

async function find({ db, params: { id = '' } }: Call): Promise<DomainRow> {
  return found(await rows.findDomain(db, { id }), 'domain', id)
}

export async function show(call: Call): Promise<Reply> {
  const row = await find(call)
  allowIn(call, row.id)
  return { status: 200, body: { domain: domainView(call, row) } }
}

const fields = {
  description: descriptionField,
  enabled: z.boolean().optional(),
  tags: tagsField.optional(),
  options: noOptions,
}
const newDomain = z.object({
  domain: z.object({ ...fields, name: nameField, explicit_domain_id: z.string().min(1).max(64).optional() }),
})
const changedDomain = z.object({ domain: z.object({ ...fields, name: nameField.optional() }) })

export async function create(call: Call): Promise<Reply> {
  const { domain } = parseBody(newDomain, call.body)
  const id = domain.explicit_domain_id ?? newId()
  const { name, description, enabled = true, tags = [] } = domain
  await rows.insertDomain(call.db, { id, name, description: description ?? '', enabled, tags })
  return {
    status: 201,
    body: { domain: domainView(call, found(await rows.findDomain(call.db, { id }), 'domain', id)) },
  }
}

export async function update(call: Call): Promise<Reply> {
  const { id } = await find(call)
  const { name, description, enabled, tags } = parseBody(changedDomain, call.body).domain
  if (id === rows.defaultDomain.id && enabled === false)
    throw new Forbidden('The default domain has the first administrator: it cannot be disabled.')
  const change = { name, description: description === null ? '' : description, enabled, tags }
  return {
    status: 200,
    body: { domain: domainView(call, found(await rows.updateDomain(call.db, id, change), 'domain', id)) },
  }
}

/** With all that is in it; an enabled one not at all. */
export async function remove(call: Call): Promise<Reply> {
  const { id } = await find(call)
  const isGone = await call.db.transaction((trx) => rows.deleteDomain(trx, id))
  if (!isGone) throw new Forbidden('Cannot delete a domain that is enabled, please disable it first.')
  return { status: 204 }
}

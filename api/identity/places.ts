/** Where a user may ask for tokens. */
import { hasSystemRole, listDomainsOf } from '../../db/identity/domains.ts'
import type { Call, Reply } from '../route.ts'
import { listReply, self } from './answer.ts'
import { domainView } from './domains.ts'

export async function domains(call: Call): Promise<Reply> {
  const rows = await listDomainsOf(call.db, call.caller.userId)
  const entries = rows.map((row) => domainView(call, row))
  return listReply(call, 'domains', entries, 'auth/domains')
}

export async function system(call: Call): Promise<Reply> {
  const isSystem = await hasSystemRole(call.db, call.caller.userId)
  return { status: 200, body: { system: isSystem ? [{ all: true }] : [], links: self(call, 'auth/system') } }
}

/** /servers/{id}/metadata. The row holds it; a guest sees what was there when it was made. */
import { z } from 'zod'
import { Invalid, NotFound, OverQuota } from '../../../core/errors.ts'
import type { Server } from '../../../core/server.ts'
import type { Transaction } from '../../../db/connect.ts'
import { quotasOf } from '../../../db/quotas.ts'
import { mergeMetadata, removeMetadata, replaceMetadata } from '../../../db/server-metadata.ts'
import { parseBody } from '../../body.ts'
import type { Call, Reply } from '../../route.ts'
import { refuseIfLocked } from './change.ts'
import { metadata } from './create-body.ts'
import { serverOf } from './find.ts'

type Items = Readonly<Record<string, string>>

const manyBody = z.strictObject({ metadata })
const oneBody = z.strictObject({ meta: metadata })

async function change(call: Call, write: (trx: Transaction, server: Server) => Promise<Items>): Promise<Items> {
  const server = await serverOf(call, call.params.id)
  refuseIfLocked(call, server)
  return await call.db.transaction(async (trx) => {
    const items = await write(trx, server)
    const { metadata_items: most } = await quotasOf(trx, server.projectId)
    if (most >= 0 && Object.keys(items).length > most)
      throw new OverQuota(`Maximum number of metadata items exceeds ${most}`)
    return items
  })
}

export async function index(call: Call): Promise<Reply> {
  return { status: 200, body: { metadata: (await serverOf(call, call.params.id)).metadata } }
}

/** @throws NotFound */
export function itemOf(items: Items, key: string): string {
  const value = Object.hasOwn(items, key) ? items[key] : undefined
  if (value === undefined) throw new NotFound('Metadata item', key)
  return value
}

export async function show(call: Call): Promise<Reply> {
  const { key = '' } = call.params
  const value = itemOf((await serverOf(call, call.params.id)).metadata, key)
  return { status: 200, body: { meta: { [key]: value } } }
}

export async function merge(call: Call): Promise<Reply> {
  const { metadata: items } = parseBody(manyBody, call.body)
  return { status: 200, body: { metadata: await change(call, (trx, { id }) => mergeMetadata(trx, id, items)) } }
}

export async function replace(call: Call): Promise<Reply> {
  const { metadata: items } = parseBody(manyBody, call.body)
  return { status: 200, body: { metadata: await change(call, (trx, { id }) => replaceMetadata(trx, id, items)) } }
}

export async function put(call: Call): Promise<Reply> {
  const { key = '' } = call.params
  const { meta } = parseBody(oneBody, call.body)
  const names = Object.keys(meta)
  if (names.length !== 1) throw new Invalid('Request body contains too many items')
  if (names[0] !== key) throw new Invalid('Request body and URI mismatch')
  await change(call, (trx, { id }) => mergeMetadata(trx, id, meta))
  return { status: 200, body: { meta } }
}

export async function remove(call: Call): Promise<Reply> {
  const { key = '' } = call.params
  const server = await serverOf(call, call.params.id)
  refuseIfLocked(call, server)
  itemOf(server.metadata, key)
  await call.db.transaction((trx) => removeMetadata(trx, server.id, key))
  return { status: 204 }
}

import { NotFound, ServerInvalidState } from '../core/errors.ts'
import type { VmState } from '../core/states.ts'
import type { Transaction } from './connect.ts'
import { findServer } from './servers.ts'

/** Nova's guard of update_instance_metadata. */
const writable = ['active', 'paused', 'suspended', 'stopped'] as const satisfies readonly VmState[]

type Metadata = Readonly<Record<string, string>>

async function change(trx: Transaction, id: string, expression: string, value: unknown): Promise<Metadata> {
  const [row] = await trx('servers')
    .where({ id })
    .whereNull('deletedAt')
    .whereIn('vmState', [...writable])
    .update({ metadata: trx.raw(expression, [JSON.stringify(value)]), updatedAt: trx.fn.now() })
    .returning('metadata')
  if (row) return row.metadata
  const present = await findServer(trx, id)
  if (present?.deletedAt !== null) throw new NotFound('Instance', id)
  throw new ServerInvalidState(id, 'update metadata', `vm_state ${present.vmState}`)
}

/** Adds items, and changes those that are there. @returns all items @throws NotFound, ServerInvalidState */
export async function mergeMetadata(trx: Transaction, id: string, items: Metadata): Promise<Metadata> {
  return await change(trx, id, 'metadata || ?::jsonb', items)
}

/** @returns all items @throws NotFound, ServerInvalidState */
export async function replaceMetadata(trx: Transaction, id: string, items: Metadata): Promise<Metadata> {
  return await change(trx, id, '?::jsonb', items)
}

/** @throws NotFound, ServerInvalidState */
export async function removeMetadata(trx: Transaction, id: string, key: string): Promise<void> {
  await change(trx, id, `metadata - (?::jsonb #>> '{}')`, key)
}

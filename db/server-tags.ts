import { NotFound, ServerInvalidState } from '../core/errors.ts'
import type { VmState } from '../core/states.ts'
import type { Transaction } from './connect.ts'
import { findServer } from './servers.ts'

/** Nova's guard of changed tags. */
const writable = ['active', 'paused', 'suspended', 'stopped'] as const satisfies readonly VmState[]

/**
 * The tags that a server has from now on, made of those that it has; two changes at a time wait for one another.
 *
 * @throws NotFound, ServerInvalidState, and what `change` throws
 */
export async function changeTags(
  trx: Transaction,
  id: string,
  change: (present: readonly string[]) => readonly string[],
): Promise<{ readonly before: readonly string[]; readonly after: readonly string[] }> {
  const row = await trx('servers')
    .where({ id })
    .whereNull('deletedAt')
    .whereIn('vmState', [...writable])
    .forUpdate()
    .first('tags')
  if (!row) {
    const present = await findServer(trx, id)
    if (present?.deletedAt !== null) throw new NotFound('Instance', id)
    throw new ServerInvalidState(id, 'update tags', `vm_state ${present.vmState}`)
  }
  const after = [...new Set(change(row.tags))]
  await trx('servers').where({ id }).update({ tags: after, updatedAt: trx.fn.now() })
  return { before: row.tags, after }
}

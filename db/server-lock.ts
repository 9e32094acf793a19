import { NotFound } from '../core/errors.ts'
import type { Transaction } from './connect.ts'

export interface Lock {
  /** 'admin' = by an administrator of another project */
  readonly by: 'owner' | 'admin'
  readonly reason: string | null
}

/** @param lock null = unlocked @throws NotFound */
export async function setLock(trx: Transaction, serverId: string, lock: Lock | null): Promise<void> {
  const changed = await trx('servers')
    .where({ id: serverId })
    .whereNull('deletedAt')
    .update({ lockedBy: lock?.by ?? null, lockedReason: lock?.reason ?? null, updatedAt: trx.fn.now() })
  if (changed === 0) throw new NotFound('Instance', serverId)
}

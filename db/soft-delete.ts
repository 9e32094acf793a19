import type { Db } from './connect.ts'

/** Servers of the host that were softly deleted longer ago than this, and that nobody is restoring. */
export async function softDeletedBefore(db: Db, host: string, seconds: number): Promise<readonly string[]> {
  return await db('servers')
    .where({ host, vmState: 'soft-delete' })
    .whereNull('taskState')
    .whereNull('deletedAt')
    .whereRaw('soft_deleted_at < now() - make_interval(secs => ?)', [seconds])
    .pluck('id')
}

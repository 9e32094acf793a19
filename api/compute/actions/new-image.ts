/** The image that a guest's disk is to become, as users ask for it. */
import { OverQuota } from '../../../core/errors.ts'
import type { Server } from '../../../core/server.ts'
import type { Transaction } from '../../../db/connect.ts'
import { quotasOf } from '../../../db/quotas.ts'
import { insertSnapshot, type Snapshot } from '../../../db/snapshots.ts'
import type { ImageRow } from '../../../db/tables.ts'
import type { Call, Reply } from '../../route.ts'

/** @throws OverQuota when the image has more metadata than the project may give it */
export async function addSnapshot(
  trx: Transaction,
  { caller }: Call,
  server: Server,
  snapshot: Snapshot,
): Promise<ImageRow> {
  const { metadata_items: most } = await quotasOf(trx, server.projectId)
  if (most >= 0 && Object.keys(snapshot.metadata).length > most)
    throw new OverQuota(`Maximum number of metadata items exceeds ${most}`)
  return await insertSnapshot(trx, { server, userId: caller.userId }, snapshot)
}

/** 2.45 put the id into the body. */
export function imageReply({ version, root }: Call, { id }: ImageRow): Reply {
  if (version >= 45) return { status: 202, body: { image_id: id } }
  return { status: 202, headers: { Location: `${root}/compute/images/${id}` } }
}

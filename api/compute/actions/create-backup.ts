import { z } from 'zod'
import { backupProperties } from '../../../db/snapshots.ts'
import { enqueue } from '../../../jobs/enqueue.ts'
import { parseBody } from '../../body.ts'
import { fieldName } from '../fields.ts'
import { beginChange, refuseIfLocked } from '../servers/change.ts'
import { metadata } from '../servers/create-body.ts'
import type { Action } from './action.ts'
import { addSnapshot, imageReply } from './new-image.ts'

const count = z.union([z.int().min(0), z.string().regex(/^\d+$/).transform(Number)])
const body = z.strictObject({
  createBackup: z.strictObject({
    name: fieldName,
    backup_type: z.string().min(1).max(255),
    rotation: count,
    metadata: metadata.optional(),
  }),
})

/** An image that takes its place among the server's backups of this type: the agent deletes those beyond the rotation. */
export const createBackup: Action = async (call, server) => {
  const { name, backup_type, rotation, metadata: items = {} } = parseBody(body, call.body).createBackup
  refuseIfLocked(call, server)
  const image = await call.db.transaction(async (trx) => {
    const { host } = await beginChange(trx, call, server, { name: 'server.backup', action: 'createBackup' })
    const row = await addSnapshot(trx, call, server, {
      name,
      metadata: items,
      properties: backupProperties(backup_type, rotation),
    })
    const payload = { serverId: server.id, requestId: call.requestId, imageId: row.id }
    await enqueue(trx, 'server.snapshot', payload, host ?? undefined)
    return row
  })
  // Nobody can look at a backup that its own rotation deletes.
  return rotation === 0 ? { status: 202 } : imageReply(call, image)
}

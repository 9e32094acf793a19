import { z } from 'zod'
import { enqueue } from '../../../jobs/enqueue.ts'
import { parseBody } from '../../body.ts'
import { fieldName } from '../fields.ts'
import { beginChange } from '../servers/change.ts'
import { metadata } from '../servers/create-body.ts'
import type { Action } from './action.ts'
import { addSnapshot, imageReply } from './new-image.ts'

const body = z.strictObject({ createImage: z.strictObject({ name: fieldName, metadata: metadata.optional() }) })

/** Also of a locked server: it stays as it is. */
export const createImage: Action = async (call, server) => {
  const wanted = parseBody(body, call.body).createImage
  const image = await call.db.transaction(async (trx) => {
    const { host } = await beginChange(trx, call, server, { name: 'server.snapshot', action: 'createImage' })
    const row = await addSnapshot(trx, call, server, {
      name: wanted.name,
      metadata: wanted.metadata ?? {},
      properties: {},
    })
    const payload = { serverId: server.id, requestId: call.requestId, imageId: row.id }
    await enqueue(trx, 'server.snapshot', payload, host ?? undefined)
    return row
  })
  return imageReply(call, image)
}

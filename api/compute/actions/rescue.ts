import { z } from 'zod'
import { updateServer } from '../../../db/servers.ts'
import { enqueue } from '../../../jobs/enqueue.ts'
import { parseBody } from '../../body.ts'
import { viewerOf } from '../../caller.ts'
import { adminPassword } from '../fields.ts'
import { bootImage } from '../servers/boot-source.ts'
import { beginChange, change, refuseIfLocked } from '../servers/change.ts'
import { newPassword } from '../servers/new-password.ts'
import type { Action } from './action.ts'

const body = z.strictObject({
  rescue: z.strictObject({ adminPass: adminPassword.optional(), rescue_image_ref: z.uuid().optional() }).nullable(),
})

/** Boots the image that is named, else the server's own. */
export const rescue: Action = async (call, server) => {
  const wanted = parseBody(body, call.body).rescue ?? {}
  refuseIfLocked(call, server)
  const password = wanted.adminPass ?? newPassword()
  const { rescue_image_ref: named } = wanted
  await call.db.transaction(async (trx) => {
    const image = named === undefined ? null : await bootImage(trx, named, viewerOf(call.caller))
    const { host } = await beginChange(trx, call, server, { name: 'server.rescue', action: 'rescue' })
    await updateServer(trx, server.id, { rescueReference: image?.reference ?? null })
    const payload = { serverId: server.id, requestId: call.requestId, adminPassword: password }
    await enqueue(trx, 'server.rescue', payload, host ?? undefined)
  })
  return { status: 200, body: { adminPass: password } }
}

export const unrescue: Action = async (call, server) => {
  await change(call, server, 'server.unrescue', 'unrescue')
  return { status: 202 }
}

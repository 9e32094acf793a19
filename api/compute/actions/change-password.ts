import { z } from 'zod'
import { enqueue } from '../../../jobs/enqueue.ts'
import { parseBody } from '../../body.ts'
import { adminPassword } from '../fields.ts'
import { begun } from '../servers/change.ts'
import type { Action } from './action.ts'

const body = z.strictObject({ changePassword: z.strictObject({ adminPass: adminPassword }) })

export const changePassword: Action = async (call, server) => {
  const { adminPass: password } = parseBody(body, call.body).changePassword
  const { requestId } = call
  await begun(call, server, { name: 'server.change-password', action: 'changePassword' }, async (trx, { id, host }) =>
    enqueue(trx, 'server.change-password', { serverId: id, requestId, password }, host),
  )
  return { status: 202 }
}

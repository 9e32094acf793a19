import { z } from 'zod'
import { insertAction } from '../../../db/actions.ts'
import { giveUpMove } from '../../../db/moves.ts'
import { giveUpResize } from '../../../db/resize.ts'
import { resetState as reset } from '../../../db/servers.ts'
import { parseBody } from '../../body.ts'
import type { Action } from './action.ts'

const body = z.strictObject({ 'os-resetState': z.strictObject({ state: z.enum(['active', 'error']) }) })

/** Whatever the server is: it is now what the administrator says, and no task runs. The agent then makes it true, or says why not. */
export const resetState: Action = async ({ db, body: given, caller, requestId }, { id, projectId }) => {
  const { state } = parseBody(body, given)['os-resetState']
  await db.transaction(async (trx) => {
    const server = await reset(trx, id, state)
    await giveUpMove(trx, server)
    await giveUpResize(trx, server)
    await insertAction(trx, { serverId: id, requestId, action: 'resetState', userId: caller.userId, projectId })
  })
  return { status: 202 }
}

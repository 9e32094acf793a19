/** lock and unlock: a locked server changes for nobody but an administrator. */
import { z } from 'zod'
import { Forbidden } from '../../../core/errors.ts'
import { insertAction } from '../../../db/actions.ts'
import { setLock } from '../../../db/server-lock.ts'
import { parseBody } from '../../body.ts'
import { isAllowed } from '../../policy.ts'
import type { Action } from './action.ts'

const body = z.strictObject({
  lock: z.strictObject({ locked_reason: z.string().min(1).max(255).optional() }).nullable(),
})

/** Before 2.73 there is no reason, and the value is not looked at. */
export const lock: Action = async ({ db, body: given, version, caller, requestId }, server) => {
  const { id, projectId, lockedBy } = server
  const reason = version >= 73 ? (parseBody(body, given).lock?.locked_reason ?? null) : null
  const by = caller.projectId === projectId ? 'owner' : 'admin'
  // A lock is not made weaker by another one.
  if (lockedBy !== null && by === 'owner') return { status: 202 }
  await db.transaction(async (trx) => {
    await setLock(trx, id, { by, reason })
    await insertAction(trx, { serverId: id, requestId, action: 'lock', userId: caller.userId, projectId })
  })
  return { status: 202 }
}

/** What an administrator of another project locked, only an administrator unlocks. */
export const unlock: Action = async ({ db, caller, requestId }, { id, projectId, lockedBy }) => {
  const rule = 'os_compute_api:os-lock-server:unlock:unlock_override'
  if (lockedBy === 'admin' && !isAllowed(caller, rule))
    throw new Forbidden(`Policy doesn't allow ${rule} to be performed.`)
  await db.transaction(async (trx) => {
    await setLock(trx, id, null)
    await insertAction(trx, { serverId: id, requestId, action: 'unlock', userId: caller.userId, projectId })
  })
  return { status: 202 }
}

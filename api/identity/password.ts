/** A user changes its own password. No token is asked for: the old password is the proof, and guessing it is counted as for a token. */
import { z } from 'zod'
import { Invalid } from '../../core/errors.ts'
import { revokeTokensOf } from '../../db/identity/tokens.ts'
import { updateUser } from '../../db/identity/users.ts'
import { hashPassword } from '../../db/password.ts'
import { parseBody } from '../body.ts'
import type { OpenCall, Reply } from '../route.ts'
import { provePassword } from './prove.ts'

const body = z.object({
  user: z.object({ password: z.string().min(1).max(1024), original_password: z.string() }),
})

/** All tokens of the user end. */
export async function changePassword(call: OpenCall): Promise<Reply> {
  const { password, original_password: original } = parseBody(body, call.body).user
  const user = await provePassword(call, { id: call.params.id ?? '' }, original)
  if (password === original) throw new Invalid('The new password cannot be identical to a previous password.')
  const passwordHash = await hashPassword(password)
  await call.db.transaction(async (trx) => {
    await updateUser(trx, user.id, { passwordHash })
    await revokeTokensOf(trx, user.id)
  })
  return { status: 204 }
}

/** /servers/{id}/os-server-password: what the guest has left for its owner, encrypted for the owner's key by the guest itself. */
import { clearSealedPassword, sealedPasswordOf } from '../../../db/sealed-password.ts'
import type { Call, Reply } from '../../route.ts'
import { serverOf } from './find.ts'

export async function showPassword(call: Call): Promise<Reply> {
  const { id } = await serverOf(call, call.params.id)
  return { status: 200, body: { password: await sealedPasswordOf(call.db, id) } }
}

export async function clearPassword(call: Call): Promise<Reply> {
  const { id } = await serverOf(call, call.params.id)
  await call.db.transaction((trx) => clearSealedPassword(trx, id))
  return { status: 204 }
}

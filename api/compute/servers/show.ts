import type { Call, Reply } from '../../route.ts'
import { serverView } from '../views/server.ts'
import { partsOfOne, serverOf } from './find.ts'

export async function show(call: Call): Promise<Reply> {
  const parts = await partsOfOne(call, await serverOf(call, call.params.id))
  const { version, root } = call
  return {
    status: 200,
    body: { server: serverView(parts, { version, root, isAdmin: call.caller.isAdmin, as: 'show' }) },
  }
}

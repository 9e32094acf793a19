import type { Call, Reply } from '../../route.ts'
import { serverView } from '../views/server.ts'
import { shownOf } from './find.ts'

export async function show(call: Call): Promise<Reply> {
  const server = await shownOf(call, call.params.id)
  const { version, root } = call
  return {
    status: 200,
    body: { server: serverView(server, { version, root, isAdmin: call.caller.isAdmin, as: 'show' }) },
  }
}

import type { Call, Reply } from '../../route.ts'
import { change } from './change.ts'
import { serverOf } from './find.ts'

/** The server shows task 'deleting' until its guest is gone; then it is not found. */
export async function remove(call: Call): Promise<Reply> {
  await change(call, await serverOf(call, call.params.id), 'server.delete', 'delete')
  return { status: 204 }
}

import type { Call, Reply } from '../../route.ts'
import { change } from './change.ts'
import { serverOf } from './find.ts'

/**
 * The server shows task 'deleting' until its guest is gone; then it is not found. Where the cloud keeps deleted servers for a while,
 * one that ever ran becomes SOFT_DELETED instead, and deleting that again changes nothing.
 */
export async function remove(call: Call): Promise<Reply> {
  const server = await serverOf(call, call.params.id)
  const isKept = call.config.reclaimSeconds > 0 && server.launchedAt !== null && server.taskState !== 'deleting'
  if (!isKept) await change(call, server, 'server.delete', 'delete')
  else if (server.vmState !== 'soft-delete') await change(call, server, 'server.soft-delete', 'delete')
  return { status: 204 }
}

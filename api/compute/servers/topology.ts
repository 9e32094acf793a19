import type { Call, Reply } from '../../route.ts'
import { serverOf } from './find.ts'

/** GET /servers/{id}/topology: a guest is bound to no part of its host's memory. */
export async function topology(call: Call): Promise<Reply> {
  await serverOf(call, call.params.id)
  return { status: 200, body: { nodes: [], pagesize_kb: null } }
}

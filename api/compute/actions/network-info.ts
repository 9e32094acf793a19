import { Conflict } from '../../../core/errors.ts'
import { enqueue } from '../../../jobs/enqueue.ts'
import { HttpFault } from '../../faults.ts'
import { refuseIfLocked } from '../servers/change.ts'
import type { Action } from './action.ts'

/** Nova has no action of the server's for it: neither have we. */
export const injectNetworkInfo: Action = async (call, server) => {
  const { db, requestId } = call
  const { id, host } = server
  refuseIfLocked(call, server)
  if (host === null) throw new Conflict(`Instance ${id} is not ready`)
  await db.transaction((trx) => enqueue(trx, 'server.inject-network', { serverId: id, requestId }, host))
  return { status: 202 }
}

/** It was for one hypervisor, which Nova has given up. */
export const resetNetwork: Action = () => {
  throw new HttpFault(410, 'The requested functionality is not supported.')
}

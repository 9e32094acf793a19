import { NotFound, ServerInvalidState } from '../core/errors.ts'
import type { Server } from '../core/server.ts'
import type { VmState } from '../core/states.ts'
import type { Transaction } from './connect.ts'

/**
 * Holds the row of a server until the transaction ends, for work that leaves its state as it is: no change begins meanwhile.
 *
 * @param wanted the states that allow it, and the word of the refusal
 * @throws ServerInvalidState when it is in another state, or a change is running; NotFound
 */
export async function holdServer(
  trx: Transaction,
  id: string,
  { states, verb }: { readonly states: readonly VmState[]; readonly verb: string },
): Promise<Server> {
  const server = await trx('servers').where({ id }).whereNull('deletedAt').forUpdate().first()
  if (!server) throw new NotFound('Instance', id)
  if (!states.includes(server.vmState)) throw new ServerInvalidState(id, verb, `vm_state ${server.vmState}`)
  if (server.taskState !== null) throw new ServerInvalidState(id, verb, `task_state ${server.taskState}`)
  return server
}

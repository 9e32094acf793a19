/** Where servers stand: the host on the row, and on its ports. */
import { Superseded } from '../core/errors.ts'
import type { Fault } from '../core/server.ts'
import type { Transaction } from './connect.ts'
import { addFault } from './servers.ts'

/** The server is to be built on this host. @throws Superseded when it is no longer waiting for one */
export async function placeOn(trx: Transaction, serverId: string, host: string): Promise<void> {
  const changed = await trx('servers')
    .where({ id: serverId })
    .whereRaw(`(vm_state, task_state) in (('building', 'scheduling'), ('shelved_offloaded', 'unshelving'))`)
    .whereNull('deletedAt')
    .update({
      host,
      taskState: 'spawning',
      availabilityZone: trx.raw('coalesce((select zone from hosts where name = ?), availability_zone)', [host]),
      updatedAt: trx.fn.now(),
    })
  if (changed === 0) throw new Superseded(serverId)
  await trx('ports').where({ serverId }).update({ host, status: 'BUILD', updatedAt: trx.fn.now() })
}

/** A host failed to build the server: its reason is kept and the server waits for another. @throws Superseded */
export async function sendBack(trx: Transaction, serverId: string, host: string, reason: string): Promise<void> {
  const changed = await trx('servers')
    .where({ id: serverId, taskState: 'spawning', host })
    .whereNull('deletedAt')
    .update({
      host: null,
      taskState: 'scheduling',
      failedHosts: trx.raw('failed_hosts || jsonb_build_object(?::text, ?::text)', [host, reason]),
      updatedAt: trx.fn.now(),
    })
  if (changed === 0) throw new Superseded(serverId)
  await trx('ports').where({ serverId }).update({ host: null, status: 'DOWN', updatedAt: trx.fn.now() })
  await trx('allocations').where({ serverId, host }).delete()
}

async function leaveHost(trx: Transaction, serverId: string): Promise<void> {
  await trx('ports').where({ serverId }).update({ host: null, status: 'DOWN', updatedAt: trx.fn.now() })
  await trx('allocations').where({ serverId }).delete()
}

/** A shelved server has no guest and no place any more; its addresses stay. @throws Superseded when it is being deleted */
export async function offload(trx: Transaction, serverId: string): Promise<void> {
  const changed = await trx('servers')
    .where({ id: serverId, taskState: 'shelving_offloading' })
    .whereNull('deletedAt')
    .update({ host: null, vmState: 'shelved_offloaded', taskState: null, powerState: 0, updatedAt: trx.fn.now() })
  if (changed === 0) throw new Superseded(serverId)
  await leaveHost(trx, serverId)
}

/** An offloaded server that could not be brought back waits as before, with a fault. A server under deletion is left to that. */
export async function returnToShelf(
  trx: Transaction,
  serverId: string,
  fault: Omit<Fault, 'serverId' | 'createdAt'>,
): Promise<void> {
  const changed = await trx('servers')
    .where({ id: serverId, vmState: 'shelved_offloaded' })
    .whereIn('taskState', ['unshelving', 'spawning'])
    .whereNull('deletedAt')
    .update({ host: null, taskState: null, updatedAt: trx.fn.now() })
  if (changed === 0) return
  await leaveHost(trx, serverId)
  await addFault(trx, serverId, fault)
}

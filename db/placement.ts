/** Where servers stand: the host on the row, and on its ports. */
import { Superseded } from '../core/errors.ts'
import type { Transaction } from './connect.ts'

/** The server is to be built on this host. @throws Superseded when it is no longer waiting for one */
export async function placeOn(trx: Transaction, serverId: string, host: string): Promise<void> {
  const changed = await trx('servers')
    .where({ id: serverId, vmState: 'building', taskState: 'scheduling' })
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

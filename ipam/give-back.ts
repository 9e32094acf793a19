import type { Transaction } from '../db/connect.ts'
import { markDeleted } from '../db/servers.ts'
import { releaseClaims } from '../db/hosts.ts'

/**
 * The last act of a delete, in one transaction: addresses, ports, claim and row. Ports that the user made beforehand stay, unbound,
 * with their addresses; the server's own ports go.
 */
export async function giveBack(trx: Transaction, serverId: string): Promise<void> {
  await trx.raw(
    `update addresses set state = 'free', port_id = null, freed_at = clock_timestamp()
     where port_id in (select id from ports where server_id = ? and is_owned_by_server)`,
    [serverId],
  )
  await trx('ports').where({ serverId, isOwnedByServer: true }).delete()
  await trx('ports').where({ serverId }).update({
    serverId: null,
    position: null,
    deviceId: '',
    deviceOwner: '',
    deviceTag: null,
    host: null,
    status: 'DOWN',
    updatedAt: trx.fn.now(),
  })
  await releaseClaims(trx, serverId)
  await markDeleted(trx, serverId)
}

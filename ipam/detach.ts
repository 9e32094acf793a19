import type { Transaction } from '../db/connect.ts'
import { release } from './release.ts'

/** A port is the server's no more: one that the user made stays, unbound, with its addresses; the server's own goes with them. */
export async function detachPort(
  trx: Transaction,
  { serverId, portId }: { readonly serverId: string; readonly portId: string },
): Promise<void> {
  const port = await trx('ports').where({ id: portId, serverId }).forUpdate().first('isOwnedByServer')
  if (!port) return
  if (port.isOwnedByServer) {
    await release(trx, portId)
    await trx('ports').where({ id: portId }).delete()
    return
  }
  await trx('ports').where({ id: portId }).update({
    serverId: null,
    position: null,
    deviceId: '',
    deviceOwner: '',
    deviceTag: null,
    host: null,
    status: 'DOWN',
    updatedAt: trx.fn.now(),
  })
}

/** Before a server first uses an address, its wire is asked who has it, where the pool wants that. */
import { messageOf } from '../core/errors.ts'
import type { Server } from '../core/server.ts'
import { insertNotice } from '../db/notices.ts'
import { giveAnother, markProved, unprovedAddresses, type UnprovedAddress } from '../ipam/prove.ts'
import type { Host } from './host.ts'

/** A wire on which so many addresses in a row are another's is not ours to hand out. */
const mostTries = 20

/** The name of a place on this host from which a network is asked. */
export function lookoutDevice(networkId: string): string {
  return `pr${networkId.slice(0, 11)}`
}

async function settle(host: Host, server: Server, due: UnprovedAddress, macs: readonly string[]): Promise<void> {
  const { db, log, name } = host
  if (macs.length === 0) {
    await markProved(db, due)
    return
  }
  const { address, networkName } = due
  const note = `answered by ${macs.join(', ')} before its first use`
  const given = await db.transaction((trx) => giveAnother(trx, due, note))
  if (given === null) return
  const message = `Address ${address} of ${networkName} was ${note}: it rests in quarantine, and ${given} is given instead.`
  await insertNotice(db, server, { action: 'addressTaken', host: name, message })
  log.warn({ serverId: server.id, address, macs, given }, 'an address that another has was not used')
}

/**
 * What the server's ports have when this returns, nobody on their wires answered for.
 *
 * @throws SubnetFull when all others are taken
 */
export async function proveAddresses(host: Host, server: Server): Promise<void> {
  const { db, wires, log } = host
  for (let attempt = 0; attempt < mostTries; attempt += 1) {
    const due = await unprovedAddresses(db, server.id)
    if (due.length === 0) return
    for (const one of due) {
      const place = { device: lookoutDevice(one.networkId), vlan: one.vlan, mtu: one.mtu }
      const answers = await wires.probe(place, [one.address]).catch((error: unknown) => {
        // The server is not kept waiting for what was only to be asked.
        log.warn({ address: one.address, reason: messageOf(error) }, 'a wire was not asked for an address')
        return new Map<string, ReadonlySet<string>>()
      })
      await settle(host, server, one, [...(answers.get(one.address) ?? [])])
    }
  }
}

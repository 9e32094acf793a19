/** Addresses that nobody of ours had before: whether somebody else has them. */
import type { Db, Transaction } from '../db/connect.ts'
import { allocate } from './allocate.ts'

/** An address that nobody had yet, on a port that waits for it. */
export interface UnprovedAddress {
  readonly address: string
  readonly subnetId: string
  readonly portId: string
  readonly networkId: string
  readonly networkName: string
  readonly vlan: number | null
  readonly mtu: number
}

/** Those of IPv4 that the ports of a server are to have, in subnets that want them asked for. */
export async function unprovedAddresses(db: Db, serverId: string): Promise<readonly UnprovedAddress[]> {
  const { rows } = await db.raw<{ rows: UnprovedAddress[] }>(
    `select host(a.address) as address, a.subnet_id, a.port_id, n.id as network_id, n.name as network_name, n.vlan, n.mtu
     from addresses a join ports p on p.id = a.port_id join networks n on n.id = p.network_id
     where p.server_id = ? and a.state = 'used' and a.probe_due and family(a.address) = 4 order by a.address`,
    [serverId],
  )
  return rows
}

/** Nobody answered for it. */
export async function markProved(db: Db, { subnetId, address }: UnprovedAddress): Promise<void> {
  await db('addresses').where({ subnetId, address }).update({ probeDue: false })
}

/**
 * Somebody else has it: it rests in quarantine, to be asked for again before it is handed out, and its history says why.
 *
 * @returns the address that the port has in its place; null when it had left the port meanwhile
 * @throws  SubnetFull
 */
export async function giveAnother(
  trx: Transaction,
  { subnetId, address, portId }: UnprovedAddress,
  note: string,
): Promise<string | null> {
  const taken = await trx('addresses')
    .where({ subnetId, address, portId, state: 'used' })
    .update({ state: 'free', portId: null, freedAt: trx.raw('clock_timestamp()') })
  if (taken === 0) return null
  const past = trx('address_history').where({ subnetId, address, portId }).max('id')
  await trx('address_history').whereIn('id', past).update({ note })
  const given = await allocate(trx, { id: subnetId }, portId)
  // The groups that have the port as a member are told on every host.
  await trx.raw(`select pg_notify('wires', '')`)
  return given
}

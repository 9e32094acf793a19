/** Addresses held without a port: for the server of a name, or for what is not Berth's. */
import { AddressInUse, Conflict, Invalid, NotFound, SubnetFull } from '../core/errors.ts'
import type { Db, Transaction } from '../db/connect.ts'
import type { AddressRow } from '../db/tables.ts'
import { claim, refusal } from './allocate-named.ts'
import type { Subnet } from './subnet.ts'
import { usage } from './usage.ts'

/** An address that is to be held. */
export interface Reservation {
  /** null = the next free one */
  readonly address: string | null
  /** the server of this name gets it, now and each time it is made again; null = nobody does */
  readonly name: string | null
  readonly note: string
}

/** Reservations of these subnets are made and moved by one transaction after the other. */
export async function keepReservations(trx: Transaction, subnetIds: readonly string[]): Promise<void> {
  for (const id of subnetIds.toSorted())
    await trx.raw('select pg_advisory_xact_lock(hashtextextended(?::text, 2))', [id])
}

async function heldFor(db: Db, subnetId: string, name: string): Promise<string | null> {
  const row = await db('addresses').where({ subnetId, reservedFor: name }).first('address')
  return row?.address ?? null
}

async function reserveNext(trx: Transaction, subnet: Subnet, { name, note }: Reservation): Promise<string> {
  const { rows } = await trx.raw<{ rows: { address: string | null }[] }>(
    'select host(allocate_address(?, null, ?)) as address',
    [subnet.id, name],
  )
  const address = rows[0]?.address
  if (!address) {
    const { used, reserved, quarantined } = await usage(trx, subnet.id)
    throw new SubnetFull(subnet.id, `${used} used, ${reserved} reserved, ${quarantined} in quarantine`)
  }
  if (note !== '') await trx('addresses').where({ subnetId: subnet.id, address }).update({ note })
  return address
}

/** An address in use by the very server of that name is kept for it from now on. */
async function reserveNamed(
  trx: Transaction,
  subnet: Subnet,
  { address, name, note }: Reservation & { readonly address: string },
): Promise<string> {
  const reason = refusal(subnet, address)
  if (reason !== null) throw new Invalid(reason)
  if (!(await claim(trx, subnet.id, address))) throw new AddressInUse(address, subnet.id)
  const { rows } = await trx.raw<{ rows: { address: string }[] }>(
    `insert into addresses as a (subnet_id, address, state, reserved_for, note) values (?, ?, 'reserved', ?, ?)
     on conflict (subnet_id, address) do update
       set state = case when a.state = 'used' then 'used' else 'reserved' end, reserved_for = excluded.reserved_for, note = excluded.note
       where a.state = 'free' or (a.state = 'used' and a.reserved_for is null and excluded.reserved_for = (
         select s.name from ports p join servers s on s.id = p.server_id where p.id = a.port_id))
     returning host(address) as address`,
    [subnet.id, address, name, note],
  )
  const held = rows[0]?.address
  if (held === undefined) throw new AddressInUse(address, subnet.id)
  return held
}

/**
 * Holds an address.
 *
 * @returns the address
 * @throws  Conflict when the name holds one in this subnet already; AddressInUse; Invalid; SubnetFull
 */
export async function reserve(trx: Transaction, subnet: Subnet, wanted: Reservation): Promise<string> {
  await keepReservations(trx, [subnet.id])
  const held = wanted.name === null ? null : await heldFor(trx, subnet.id, wanted.name)
  if (held !== null) throw new Conflict(`${held} is reserved for ${String(wanted.name)} in subnet ${subnet.id} already`)
  const { address } = wanted
  return address === null
    ? await reserveNext(trx, subnet, wanted)
    : await reserveNamed(trx, subnet, { ...wanted, address })
}

async function heldAddress(trx: Transaction, subnet: Subnet, address: string): Promise<AddressRow> {
  const row = await trx('addresses').where({ subnetId: subnet.id, address }).forUpdate().first()
  if (!row || row.state === 'free') throw new NotFound('Address', `${address} of subnet ${subnet.id}`)
  return row
}

async function refuseInUse(trx: Transaction, { portId, address }: AddressRow): Promise<void> {
  const port = portId === null ? null : await trx('ports').where({ id: portId }).first('serverId')
  if (port?.serverId) throw new Conflict(`Address ${address} is in use by server ${port.serverId}`)
}

/** Takes an address from a port without a server; a reservation stays. @throws Conflict when a server uses it; NotFound */
export async function unassign(trx: Transaction, subnet: Subnet, address: string): Promise<void> {
  await refuseInUse(trx, await heldAddress(trx, subnet, address))
  await trx('addresses')
    .where({ subnetId: subnet.id, address, state: 'used' })
    .update({ state: 'free', portId: null, freedAt: trx.raw('clock_timestamp()') })
}

/** Gives an address up for good: off its port, and no longer reserved. @throws Conflict when a server uses it; NotFound */
export async function free(trx: Transaction, subnet: Subnet, address: string): Promise<void> {
  await refuseInUse(trx, await heldAddress(trx, subnet, address))
  await trx('addresses')
    .where({ subnetId: subnet.id, address })
    .update({ state: 'free', portId: null, reservedFor: null, note: '', freedAt: trx.raw('clock_timestamp()') })
}

/** The reservation of an address becomes that of another name, or of nobody; a server that uses the address keeps it until it ends. */
export async function moveReservation(
  trx: Transaction,
  subnet: Subnet,
  { address, name }: { readonly address: string; readonly name: string | null },
): Promise<void> {
  await keepReservations(trx, [subnet.id])
  const row = await heldAddress(trx, subnet, address)
  if (row.state === 'used' && row.reservedFor === null) throw new Conflict(`Address ${address} is used, not reserved`)
  const held = name === null ? null : await heldFor(trx, subnet.id, name)
  if (held !== null && held !== address)
    throw new Conflict(`${held} is reserved for ${String(name)} in subnet ${subnet.id} already`)
  await trx('addresses').where({ subnetId: subnet.id, address }).update({ reservedFor: name })
}

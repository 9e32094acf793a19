import ipaddr from 'ipaddr.js'
import { AddressInUse, Invalid } from '../core/errors.ts'
import type { Transaction } from '../db/connect.ts'
import type { Subnet } from './subnet.ts'

/** Why an address cannot be a guest's in this subnet, or null. */
export function refusal(subnet: Subnet, address: string): string | null {
  if (!ipaddr.isValid(address) || (address.includes('.') && !ipaddr.IPv4.isValidFourPartDecimal(address))) {
    return `IP address ${address} is not valid.`
  }
  const wanted = ipaddr.process(address)
  const [network, prefixLength] = ipaddr.parseCIDR(subnet.cidr)
  if (wanted.kind() !== network.kind() || !wanted.match(network, prefixLength)) {
    return `IP address ${address} is not a valid IP for the specified subnet ${subnet.id} (${subnet.cidr}).`
  }
  if (subnet.gateway !== null && ipaddr.process(subnet.gateway).toString() === wanted.toString()) {
    return `IP address ${address} is the gateway of subnet ${subnet.id}.`
  }
  if (wanted.kind() === 'ipv4' && prefixLength < 31) {
    const edges = [ipaddr.IPv4.networkAddressFromCIDR(subnet.cidr), ipaddr.IPv4.broadcastAddressFromCIDR(subnet.cidr)]
    if (edges.some((edge) => edge.toString() === wanted.toString())) {
      return `IP address ${address} is the network or broadcast address of subnet ${subnet.id}.`
    }
  }
  return null
}

/**
 * Whether the address can be written now: neither it nor its row is in another transaction's hand. Nobody waits here, so no two callers
 * wait for each other. Those who take any address pass by a claimed one.
 */
export async function claim(trx: Transaction, subnetId: string, address: string): Promise<boolean> {
  const { rows } = await trx.raw<{ rows: { isOurs: boolean }[] }>(
    'select pg_try_advisory_xact_lock(address_lock(?, ?)) as is_ours',
    [subnetId, address],
  )
  if (rows[0]?.isOurs !== true) return false
  const row = trx('addresses').where({ subnetId, address })
  return (
    (await row.clone().first('state')) === undefined ||
    (await row.forUpdate().skipLocked().first('state')) !== undefined
  )
}

/**
 * An address that the caller names. It may lie outside the allocation ranges, and in quarantine: who names it knows.
 *
 * @param name of the server: an address that is reserved for it is its to take
 * @returns the address in its canonical form
 * @throws  Invalid when it is no address of this subnet; AddressInUse when a port holds it, it is reserved, or another is just taking it
 */
export async function allocateNamed(
  trx: Transaction,
  subnet: Subnet,
  address: string,
  portId: string,
  name: string | null = null,
): Promise<string> {
  const reason = refusal(subnet, address)
  if (reason !== null) throw new Invalid(reason)
  if (!(await claim(trx, subnet.id, address))) throw new AddressInUse(address, subnet.id)
  const { rows } = await trx.raw<{ rows: { address: string }[] }>(
    `insert into addresses as a (subnet_id, address, state, port_id) values (?, ?, 'used', ?)
     on conflict (subnet_id, address) do update set state = 'used', port_id = excluded.port_id, since = now()
       where a.state = 'free' or (a.state = 'reserved' and a.reserved_for = ?)
     returning host(address) as address`,
    [subnet.id, address, portId, name],
  )
  const held = rows[0]?.address
  if (held === undefined) throw new AddressInUse(address, subnet.id)
  return held
}

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
 * An address that the caller names. It may lie outside the allocation ranges, and in quarantine: who names it knows.
 *
 * @param name of the server: an address that is reserved for it is its to take
 * @returns the address in its canonical form
 * @throws  Invalid when it is no address of this subnet; AddressInUse when a port holds it or it is reserved
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
  // Those who take any address pass by the locked one instead of waiting for this transaction.
  await trx.raw('select pg_advisory_xact_lock(address_lock(?, ?))', [subnet.id, address])
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

import { Conflict, SubnetFull } from '../../core/errors.ts'
import { NetworkError } from '../../core/network-errors.ts'
import type { Transaction } from '../../db/connect.ts'
import { insertPort, type NewPort } from '../../db/ports.ts'
import { allocateNamed } from '../../ipam/allocate-named.ts'
import { allocate } from '../../ipam/allocate.ts'
import { newMac } from '../../ipam/mac.ts'
import type { Subnet } from '../../ipam/subnet.ts'
import { contains, isIpv4 } from './subnet-of.ts'

/** An address that the caller wishes: any of a subnet, a named one, or a named one of a named subnet. */
export type FixedIpWish =
  | { readonly subnetId: string; readonly address?: string | undefined }
  | { readonly subnetId?: undefined; readonly address: string }

/** A port that is to be made. */
export interface PortWish {
  readonly port: Omit<NewPort, 'mac'>
  /** null = one is made */
  readonly mac: string | null
  readonly securityGroupIds: readonly string[]
  /** null = one address of each family that the network has */
  readonly fixedIps: readonly FixedIpWish[] | null
  /** the name of the machine that it is for: what is reserved for that name is its to take */
  readonly serverName: string | null
}

/** How often a made-up MAC address may be another port's: 16 million there are. */
const macAttempts = 8

async function insert(trx: Transaction, { port, mac, securityGroupIds }: PortWish): Promise<void> {
  if (mac !== null) {
    if (await insertPort(trx, { ...port, mac }, securityGroupIds)) return
    throw new NetworkError(
      'MacAddressInUse',
      `Unable to complete operation for network ${port.networkId}. The mac address ${mac} is in use.`,
    )
  }
  for (let attempt = 0; attempt < macAttempts; attempt++)
    if (await insertPort(trx, { ...port, mac: newMac() }, securityGroupIds)) return
  throw new Conflict('Unable to generate unique mac: try again.')
}

/** The subnets of IPv4, and those of IPv6: a port has an address of each. */
export function familiesOf(subnets: readonly Subnet[]): readonly (readonly Subnet[])[] {
  return [subnets.filter(({ cidr }) => isIpv4(cidr)), subnets.filter(({ cidr }) => !isIpv4(cidr))]
}

/** An address of the first of these subnets that has one. @throws SubnetFull of the last */
export async function allocateAny(
  trx: Transaction,
  subnets: readonly Subnet[],
  { port, serverName }: PortWish,
): Promise<void> {
  let full: SubnetFull | null = null
  for (const subnet of subnets) {
    try {
      await allocate(trx, subnet, port.id, serverName)
      return
    } catch (error) {
      if (!(error instanceof SubnetFull)) throw error
      full = error
    }
  }
  if (full) throw full
}

/**
 * An address for a port, as wished.
 *
 * @throws NetworkError when it is of no subnet of the port's network; Invalid, AddressInUse, SubnetFull
 */
export async function grantAddress(
  trx: Transaction,
  { subnetId, address }: FixedIpWish,
  { id, networkId }: Pick<NewPort, 'id' | 'networkId'>,
  { subnets, serverName }: { readonly subnets: readonly Subnet[]; readonly serverName: string | null },
): Promise<void> {
  const subnet =
    subnetId === undefined
      ? subnets.find(({ cidr }) => contains(cidr, address))
      : subnets.find((candidate) => candidate.id === subnetId)
  if (!subnet)
    throw new NetworkError(
      'InvalidIpForNetwork',
      subnetId === undefined
        ? `IP address ${address} is not a valid IP for any of the subnets on the specified network ${networkId}.`
        : `Failed to create port on network ${networkId}, because fixed_ips included invalid subnet ${subnetId}.`,
    )
  if (address === undefined) await allocate(trx, subnet, id, serverName)
  else await allocateNamed(trx, subnet, address, id, serverName)
}

/**
 * A new port with its addresses. They are held when the transaction commits.
 *
 * @param subnets those of the port's network, the oldest first
 * @throws Invalid, AddressInUse, SubnetFull, Conflict when the MAC address is taken
 */
export async function newPort(trx: Transaction, wish: PortWish, subnets: readonly Subnet[]): Promise<void> {
  await insert(trx, wish)
  if (wish.fixedIps !== null) {
    for (const fixedIp of wish.fixedIps)
      await grantAddress(trx, fixedIp, wish.port, { subnets, serverName: wish.serverName })
    return
  }
  for (const family of familiesOf(subnets)) await allocateAny(trx, family, wish)
}

import ipaddr from 'ipaddr.js'

/** What allocation needs to know of a subnet. A row of `subnets` fits. */
export interface Subnet {
  readonly id: string
  /** such as '10.0.4.0/22' */
  readonly cidr: string
  /** null on an isolated subnet */
  readonly gateway: string | null
}

/** Addresses from the first to the last, both among them. */
export interface Range {
  readonly first: string
  readonly last: string
}

/** Whether an address lies in a subnet such as '10.0.4.0/22'. */
export function contains(cidr: string, address: string): boolean {
  if (!ipaddr.isValid(address)) return false
  const [network, prefixLength] = ipaddr.parseCIDR(cidr)
  const parsed = ipaddr.parse(address)
  return parsed.kind() === network.kind() && parsed.match(network, prefixLength)
}

import ipaddr from 'ipaddr.js'

/** Whether an address lies in a subnet such as '10.0.4.0/22'. */
export function contains(cidr: string, address: string): boolean {
  if (!ipaddr.isValid(address)) return false
  const [network, prefixLength] = ipaddr.parseCIDR(cidr)
  const parsed = ipaddr.parse(address)
  return parsed.kind() === network.kind() && parsed.match(network, prefixLength)
}

export function isIpv4(cidr: string): boolean {
  return !cidr.includes(':')
}

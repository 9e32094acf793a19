/** A device that the host uses only as a wire has no IPv6 of the host's own. Source: Documentation/networking/ip-sysctl.rst, disable_ipv6 */
import { existsSync, writeFileSync } from 'node:fs'
import { withNamespace } from './namespace.ts'

function turnOffHere(device: string): void {
  const path = `/proc/sys/net/ipv6/conf/${device}/disable_ipv6`
  // A kernel without IPv6 has nothing to turn off.
  if (existsSync(path)) writeFileSync(path, '1')
}

/**
 * The host answers at no address of this device, and has no routes by it: a guest could reach the host there past its network, and
 * ovs-vswitchd reads all routes of the host, each with a look at its device, whenever one comes or goes.
 *
 * @param netnsPath where the device is; null = the host
 */
export function turnOffIpv6(device: string, netnsPath: string | null): void {
  if (netnsPath === null) turnOffHere(device)
  else withNamespace(netnsPath, () => turnOffHere(device))
}

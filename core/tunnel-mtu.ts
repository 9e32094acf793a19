/** Bytes around a frame in a tunnel: Ethernet, IP, UDP and VXLAN headers. Source: RFC 7348, section 5 */
const aroundIpv4 = 50
const aroundIpv6 = 70

/** What is left of an underlay's MTU for the packets of guests. @param local address of this end of the tunnels; null = IPv4 */
export function innerMtu(underlayMtu: number, local: string | null): number {
  return underlayMtu - (local?.includes(':') === true ? aroundIpv6 : aroundIpv4)
}

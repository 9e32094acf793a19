/** Who a guest may be on its wire. */
import ipaddr from 'ipaddr.js'
import type { PortSecurity, Vif } from '../core/network.ts'

/** A sender that a port may be: MAC address, and address or prefix. */
export interface Sender {
  readonly mac: string
  readonly address: string
}

/** The address that Linux gives itself on a link. Source: RFC 4291, appendix A */
export function linkLocal(mac: string): string {
  const bytes = mac.split(':').map((part) => Number.parseInt(part, 16))
  const [first = 0, second = 0, third = 0, ...rest] = bytes
  const tail = [first ^ 2, second, third, 0xff, 0xfe, ...rest]
  return ipaddr.fromByteArray([0xfe, 0x80, 0, 0, 0, 0, 0, 0, ...tail]).toString()
}

/** Its own addresses, those of its allowed pairs, and the link-local ones of all its MAC addresses. */
export function sendersOf({ mac, addresses }: Vif, { addressPairs }: PortSecurity): readonly Sender[] {
  const own = addresses.map(({ address }) => ({ mac, address }))
  const pairs = addressPairs.map((pair) => ({ mac: pair.mac ?? mac, address: pair.address }))
  const macs = [...new Set([...own, ...pairs].map((sender) => sender.mac)), mac]
  return [...own, ...pairs, ...macs.map((one) => ({ mac: one, address: linkLocal(one) }))]
}

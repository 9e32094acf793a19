/** Protocols as security group rules name them. */

/** Source: IANA's protocol numbers, under the names that Neutron takes. */
const numbers: Readonly<Record<string, number>> = {
  ah: 51,
  dccp: 33,
  egp: 8,
  esp: 50,
  gre: 47,
  igmp: 2,
  ipip: 4,
  ospf: 89,
  pgm: 113,
  rsvp: 46,
  udplite: 136,
  vrrp: 112,
  'ipv6-encap': 41,
  'ipv6-frag': 44,
  'ipv6-nonxt': 59,
  'ipv6-opts': 60,
  'ipv6-route': 43,
}

/** Protocols whose rules may name ports. */
export const withPorts: Readonly<Record<string, 'tcp' | 'udp' | 'sctp'>> = {
  tcp: 'tcp',
  '6': 'tcp',
  udp: 'udp',
  '17': 'udp',
  sctp: 'sctp',
  '132': 'sctp',
}
export const icmpNames: readonly string[] = ['icmp', 'icmpv6', 'ipv6-icmp', '1', '58']

/** The number of a protocol that is given by name or number; null when there is none such. */
export function numberOf(protocol: string): number | null {
  const number = numbers[protocol] ?? Number(protocol)
  return Number.isInteger(number) ? number : null
}

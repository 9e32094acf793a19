/** What a security group rule may say. Source: neutron's db/securitygroups_db.py, the checks of a new rule. */
import { randomUUID } from 'node:crypto'
import ipaddr from 'ipaddr.js'
import { z } from 'zod'
import { NetworkError } from '../../core/network-errors.ts'
import type { SecurityGroupRuleRow } from '../../db/tables.ts'
import { whole } from './values.ts'

/** Names that Neutron has for protocol numbers. */
const numbers: Readonly<Record<string, number>> = {
  icmp: 1,
  igmp: 2,
  ipip: 4,
  tcp: 6,
  egp: 8,
  udp: 17,
  dccp: 33,
  'ipv6-encap': 41,
  'ipv6-route': 43,
  'ipv6-frag': 44,
  rsvp: 46,
  gre: 47,
  esp: 50,
  ah: 51,
  icmpv6: 58,
  'ipv6-icmp': 58,
  'ipv6-nonxt': 59,
  'ipv6-opts': 60,
  ospf: 89,
  vrrp: 112,
  pgm: 113,
  sctp: 132,
  udplite: 136,
}

/** Protocols with ports, by number: TCP, UDP, DCCP, SCTP, UDP-Lite. */
const withPorts: readonly number[] = [6, 17, 33, 132, 136]
const icmpNumbers: readonly number[] = [1, 58]

const portNumber = whole(z.int().min(0).max(65_535).nullable())

export const wantedRule = z.strictObject({
  security_group_id: z.string(),
  direction: z
    .string()
    .toLowerCase()
    .pipe(z.enum(['ingress', 'egress'])),
  ethertype: z
    .string()
    .toLowerCase()
    .pipe(z.enum(['ipv4', 'ipv6']))
    .transform((text) => (text === 'ipv4' ? 'IPv4' : 'IPv6'))
    .default('IPv4'),
  protocol: z
    .union([z.string(), z.int().transform(String)])
    .nullable()
    .default(null),
  port_range_min: portNumber.default(null),
  port_range_max: portNumber.default(null),
  remote_ip_prefix: z.string().nullable().default(null),
  remote_group_id: z.string().nullable().default(null),
  remote_address_group_id: z.null().optional(),
  description: z.string().max(255).default(''),
  tenant_id: z.string().optional(),
  project_id: z.string().optional(),
})
export type WantedRule = z.output<typeof wantedRule>

interface Protocol {
  /** as it is shown; null = any */
  readonly name: string | null
  readonly number: number | null
}

function protocolOf({ protocol, ethertype }: WantedRule): Protocol {
  const name = protocol?.toLowerCase() ?? ''
  if (name === '' || name === 'any' || name === '-1') return { name: null, number: null }
  const number = /^\d{1,3}$/.test(name) ? Number(name) : numbers[name]
  if (number === undefined || number > 255)
    throw new NetworkError(
      'SecurityGroupRuleInvalidProtocol',
      `Security group rule protocol ${name} not supported. Only protocol values [${Object.keys(numbers).join(', ')}] and integer representations [0 to 255] are supported.`,
    )
  if (ethertype === 'IPv6' && (name === 'icmp' || name === 'icmpv6')) return { name: 'ipv6-icmp', number: 58 }
  if (ethertype === 'IPv4' && /^(icmpv6|ipv6-)/.test(name))
    throw new NetworkError(
      'SecurityGroupEthertypeConflictWithProtocol',
      `Invalid ethertype ${ethertype} for protocol ${name}.`,
    )
  return { name, number }
}

function checkIcmp({ port_range_min: type, port_range_max: code }: WantedRule): void {
  for (const [field, value] of [
    ['port_range_min (type)', type],
    ['port_range_max (code)', code],
  ] as const)
    if (value !== null && value > 255)
      throw new NetworkError(
        'SecurityGroupInvalidIcmpValue',
        `Invalid value for ICMP ${field} ${value}. It must be 0 to 255.`,
      )
  if (type === null && code !== null)
    throw new NetworkError(
      'SecurityGroupMissingIcmpType',
      `ICMP code (port-range-max) ${code} is provided but ICMP type (port-range-min) is missing.`,
    )
}

function checkPorts(rule: WantedRule, { name, number }: Protocol): void {
  const { port_range_min: min, port_range_max: max } = rule
  if (min === null && max === null) return
  if (number === null)
    throw new NetworkError(
      'SecurityGroupProtocolRequiredWithPorts',
      'Must also specify protocol if port range is given.',
    )
  if (icmpNumbers.includes(number)) checkIcmp(rule)
  else if (!withPorts.includes(number))
    throw new NetworkError('SecurityGroupInvalidProtocolForPort', `Ports cannot be given for protocol ${String(name)}.`)
  else if (min === null || max === null || min > max || min === 0)
    throw new NetworkError(
      'SecurityGroupInvalidPortRange',
      'For TCP/UDP protocols, port_range_min must be <= port_range_max, and both from 1 to 65535.',
    )
}

/** 10.0.0.7 is 10.0.0.7/32. */
function writtenPrefix({ remote_ip_prefix: text }: WantedRule): string | null {
  if (text === null || text === '') return null
  return text.includes('/') ? text : `${text}/${text.includes(':') ? 128 : 32}`
}

/** 10.0.0.7/24 means 10.0.0.0/24. */
function prefixOf(rule: WantedRule): string | null {
  const { remote_ip_prefix: text, ethertype } = rule
  const whole = writtenPrefix(rule)
  if (whole === null) return null
  if (!ipaddr.isValidCIDR(whole))
    throw new NetworkError(
      'InvalidInput',
      `Invalid input for remote_ip_prefix. Reason: '${String(text)}' is not a valid IP subnet.`,
    )
  const [address, length] = ipaddr.parseCIDR(whole)
  if ((address.kind() === 'ipv4') !== (ethertype === 'IPv4'))
    throw new NetworkError(
      'SecurityGroupRuleParameterConflict',
      `Conflicting value ethertype ${ethertype} for CIDR ${whole}`,
    )
  const network =
    address.kind() === 'ipv4'
      ? ipaddr.IPv4.networkAddressFromCIDR(`${address.toString()}/${length}`)
      : ipaddr.IPv6.networkAddressFromCIDR(`${address.toString()}/${length}`)
  return `${network.toString()}/${length}`
}

/** The row that a rule becomes. @throws NetworkError saying what does not go together */
export function ruleRow(rule: WantedRule, projectId: string): Omit<SecurityGroupRuleRow, 'createdAt'> {
  const protocol = protocolOf(rule)
  checkPorts(rule, protocol)
  if (rule.remote_ip_prefix !== null && rule.remote_group_id !== null)
    throw new NetworkError(
      'SecurityGroupRemoteGroupAndRemoteIpPrefix',
      'Only remote_ip_prefix or remote_group_id may be provided.',
    )
  return {
    id: randomUUID(),
    securityGroupId: rule.security_group_id,
    projectId,
    direction: rule.direction,
    ethertype: rule.ethertype,
    protocol: protocol.name,
    portRangeMin: rule.port_range_min,
    portRangeMax: rule.port_range_max,
    remoteIpPrefix: prefixOf(rule),
    writtenPrefix: writtenPrefix(rule),
    remoteGroupId: rule.remote_group_id,
    description: rule.description,
  }
}

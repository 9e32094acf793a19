/** Whether a rule of a security group lets a new connection pass: the same as its flows do. */
import type { TraceQuery } from '../../core/trace.ts'
import type { SecurityGroupRuleRow } from '../../db/tables.ts'
import { contains } from './subnet-of.ts'

const all: readonly (string | null)[] = [null, 'any', '0']
const names: Readonly<Record<TraceQuery['protocol'], readonly string[]>> = {
  tcp: ['tcp', '6'],
  udp: ['udp', '17'],
  icmp: ['icmp', 'icmpv6', 'ipv6-icmp', '1', '58'],
}
/** Type and code of an echo request. Source: RFC 792, RFC 4443 */
const echo = { 4: [8, 0], 6: [128, 0] } as const

/** The other end of the connection. */
export interface Peer {
  readonly address: string
  readonly groupIds: readonly string[]
}

function protocolFits(
  { protocol, portRangeMin: min, portRangeMax: max }: SecurityGroupRuleRow,
  asked: TraceQuery,
): boolean {
  if (all.includes(protocol)) return true
  if (protocol === null || !names[asked.protocol].includes(protocol)) return false
  if (asked.protocol !== 'icmp') return asked.port >= (min ?? 0) && asked.port <= (max ?? 65_535)
  const [type, code] = asked.family === 6 ? echo[6] : echo[4]
  return (min === null || min === type) && (min === null || max === null || max === code)
}

export function letsPass(rule: SecurityGroupRuleRow, asked: TraceQuery, peer: Peer): boolean {
  const { ethertype, remoteIpPrefix: prefix, remoteGroupId } = rule
  return (
    ethertype === `IPv${asked.family}` &&
    protocolFits(rule, asked) &&
    (prefix === null || contains(prefix, peer.address)) &&
    (remoteGroupId === null || peer.groupIds.includes(remoteGroupId))
  )
}

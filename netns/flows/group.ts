/** The flows of security groups: shared by all ports that have them, so that a changed rule changes as many flows as it has. */
import type { GroupRule, SecurityGroup } from '../../core/network.ts'
import { flow, load, registers, shortId, tables as t, to, type Flows } from './flow.ts'
import { icmpNames, numberOf, withPorts } from '../protocol.ts'
import { portMasks } from './port-range.ts'

type Entry = readonly [string, string]

function icmpMatch({ family, portMin, portMax }: GroupRule): string {
  const type = portMin === null ? '' : `,icmp_type=${portMin}`
  const code = portMin === null || portMax === null ? '' : `,icmp_code=${portMax}`
  return `${family === 4 ? 'icmp' : 'icmp6'}${type}${code}`
}

/** What a rule says of protocol and ports, as matches of which one is enough; none where it can match nothing. */
function protocolMatches(rule: GroupRule): readonly string[] {
  const { family, protocol, portMin, portMax } = rule
  const ip = family === 4 ? 'ip' : 'ipv6'
  if (protocol === null || protocol === 'any' || protocol === '0') return [ip]
  if (icmpNames.includes(protocol)) return [icmpMatch(rule)]
  const transport = withPorts[protocol]
  if (transport !== undefined) {
    const match = `${transport}${family === 4 ? '' : '6'}`
    if (portMin === null && portMax === null) return [match]
    return portMasks(portMin ?? 1, portMax ?? 65535).map((mask) => `${match},tp_dst=${mask}`)
  }
  const number = numberOf(protocol)
  return number === null ? [] : [`${ip},nw_proto=${number}`]
}

function remoteField({ family, direction }: Pick<GroupRule, 'family' | 'direction'>): string {
  const end = direction === 'ingress' ? 'src' : 'dst'
  return family === 4 ? `nw_${end}` : `ipv6_${end}`
}

/** A prefix of all addresses is no match at all. */
function prefixMatch(rule: GroupRule): string {
  const { remotePrefix } = rule
  return remotePrefix === null || remotePrefix.endsWith('/0') ? '' : `,${remoteField(rule)}=${remotePrefix}`
}

function ruleFlows(groupId: string, rule: GroupRule): readonly Entry[] {
  const isIn = rule.direction === 'ingress'
  const matches = protocolMatches(rule).map((match) => `${match}${prefixMatch(rule)}`)
  const { remoteGroupId } = rule
  if (remoteGroupId === null)
    return matches.map((match) =>
      flow(isIn ? t.ingressGroup : t.egressGroup, 100, `xreg5=${shortId(groupId)},${match}`, load(1, registers.passes)),
    )
  return matches.map((match) =>
    flow(
      isIn ? t.ingressRemote : t.egressRemote,
      100,
      `xreg4=${shortId(rule.id)},${match}`,
      load(shortId(remoteGroupId), registers.group),
      to(isIn ? t.ingressMember : t.egressMember),
    ),
  )
}

export function groupFlows({ id, rules }: SecurityGroup): Flows {
  return new Map(rules.flatMap((rule) => ruleFlows(id, rule)))
}

/** @param addresses and prefixes of the group's members */
export function memberFlows(groupId: string, addresses: readonly string[]): Flows {
  const passes = load(1, registers.passes)
  return new Map(
    addresses.flatMap((address) => {
      const family = address.includes(':') ? 6 : 4
      const here = `xreg5=${shortId(groupId)},${family === 4 ? 'ip' : 'ipv6'}`
      return [
        flow(t.ingressMember, 100, `${here},${remoteField({ family, direction: 'ingress' })}=${address}`, passes),
        flow(t.egressMember, 100, `${here},${remoteField({ family, direction: 'egress' })}=${address}`, passes),
      ]
    }),
  )
}

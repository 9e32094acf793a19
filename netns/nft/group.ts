/** The rules of security groups as chains, which all ports that have the groups share. */
import { createHash } from 'node:crypto'
import type { GroupRule, Policy, SecurityGroup } from '../../core/network.ts'
import { icmpNames, numberOf, withPorts } from '../protocol.ts'
import type { Element, Unit } from './rule-table.ts'

const directions = ['ingress', 'egress'] as const
type Direction = (typeof directions)[number]

function groupChain(direction: Direction, groupId: string): string {
  return `${direction}-group-${groupId}`
}

function memberSet(family: 4 | 6, groupId: string): string {
  return `members${family}-${groupId}`
}

/** Prefixes need a set of another kind, and are few. */
function prefixSet(family: 4 | 6, groupId: string): string {
  return `prefixes${family}-${groupId}`
}

function icmpWords({ family, portMin, portMax }: GroupRule): string {
  const name = family === 4 ? 'icmp' : 'icmpv6'
  if (portMin === null) return `meta l4proto ${name}`
  return `${name} type ${portMin}${portMax === null ? '' : ` ${name} code ${portMax}`}`
}

/** What a rule says of protocol and ports, in nft's words; null where it can match nothing. */
function protocolWords(rule: GroupRule): string | null {
  const { protocol, portMin, portMax } = rule
  if (protocol === null || protocol === 'any' || protocol === '0') return ''
  if (icmpNames.includes(protocol)) return icmpWords(rule)
  const transport = withPorts[protocol]
  if (transport !== undefined)
    return portMin === null && portMax === null
      ? `meta l4proto ${transport}`
      : `${transport} dport ${portMin ?? 1}-${portMax ?? 65_535}`
  const number = numberOf(protocol)
  return number === null ? null : `meta l4proto ${number}`
}

/** As many rules as it takes: one for each set of members. */
function ruleWords(rule: GroupRule): readonly string[] {
  const protocol = protocolWords(rule)
  if (protocol === null) return []
  const { family, direction, remotePrefix, remoteGroupId } = rule
  const field = `${family === 4 ? 'ip' : 'ip6'} ${direction === 'ingress' ? 'saddr' : 'daddr'}`
  const remotes =
    remoteGroupId === null
      ? [remotePrefix === null || remotePrefix.endsWith('/0') ? '' : `${field} ${remotePrefix}`]
      : [`${field} @${memberSet(family, remoteGroupId)}`, `${field} @${prefixSet(family, remoteGroupId)}`]
  return remotes.map((remote) => `meta nfproto ipv${family} ${remote} ${protocol} accept`)
}

export function groupUnit({ id, rules }: SecurityGroup): Unit {
  const chains = directions.map((direction): [string, readonly string[]] => [
    groupChain(direction, id),
    rules.filter((rule) => rule.direction === direction).flatMap(ruleWords),
  ])
  return { elements: [], chains: new Map(chains) }
}

/** @param addresses and prefixes of the group's members */
export function memberUnit(groupId: string, addresses: readonly string[]): Unit {
  const families = [4, 6] as const
  const elements = addresses.map((key): Element => {
    const family = key.includes(':') ? 6 : 4
    return { set: key.includes('/') ? prefixSet(family, groupId) : memberSet(family, groupId), key, value: '' }
  })
  const sets = families.flatMap((family): [string, string][] => [
    [memberSet(family, groupId), `type ipv${family}_addr;`],
    [prefixSet(family, groupId), `type ipv${family}_addr; flags interval; auto-merge;`],
  ])
  return { elements, sets: new Map(sets) }
}

/** Ports of the same groups share their chains. */
export function profileName(direction: Direction, groupIds: readonly string[]): string {
  const digest = createHash('sha256').update(groupIds.toSorted().join(' ')).digest('hex').slice(0, 16)
  return `${direction}-port-${digest}`
}

/** What the ports of these groups are asked. */
export function profileUnit(policy: Policy, groupIds: readonly string[], hostReachesGuests: boolean): Unit {
  const known = policy.groups.filter(({ id }) => groupIds.includes(id)).map(({ id }) => id)
  const chains = directions.map((direction): [string, readonly string[]] => [
    profileName(direction, groupIds),
    [
      'jump known',
      ...(direction === 'ingress' && hostReachesGuests ? ['jump fromHost'] : []),
      ...known.map((id) => `jump ${groupChain(direction, id)}`),
      'goto cut',
    ],
  ])
  return { elements: [], chains: new Map(chains) }
}

/** Sets that rules name whose groups nobody told the members of. */
export function remoteGroupIds({ groups }: Policy): ReadonlySet<string> {
  return new Set(groups.flatMap(({ rules }) => rules.flatMap(({ remoteGroupId }) => remoteGroupId ?? [])))
}

/** What the rules in the kernel would do with a packet, without sending one: nft itself traces only what comes by. */
import ipaddr from 'ipaddr.js'
import { z } from 'zod'
import type { TracedPacket, TraceVerdict } from '../trace.ts'
import { listingOf, type Elements } from './listing.ts'
import { marks } from './tables.ts'

/** By which devices of one host's bridges the packet would go; null = by none of a guest's. */
export interface TracedWay {
  readonly from: string
  readonly to: string | null
}

const scalar = z.union([z.string(), z.number()])
const range = z.object({ range: z.tuple([z.number(), z.number()]) })
const prefix = z.object({ prefix: z.object({ addr: z.string(), len: z.number() }) })
const payload = z.object({ payload: z.object({ protocol: z.string(), field: z.string() }) })
const meta = z.object({ meta: z.object({ key: z.string() }) })
const match = z.object({
  op: z.string(),
  left: z.union([payload, meta, z.unknown()]),
  right: z.union([scalar, range, prefix, z.unknown()]),
})
const target = z.object({ target: z.string() })
const step = z.object({
  match: match.optional(),
  jump: target.optional(),
  goto: target.optional(),
  accept: z.null().optional(),
  drop: z.null().optional(),
  return: z.null().optional(),
})
type Step = z.output<typeof step>
const ruleset = z.object({
  nftables: z.array(
    z.object({ rule: z.object({ family: z.string(), chain: z.string(), expr: z.array(step) }).optional() }),
  ),
})

interface Rules {
  readonly elements: Elements
  readonly chains: ReadonlyMap<string, readonly (readonly Step[])[]>
}

/** As nft writes what a traced packet has: an echo request, or the first of a connection. */
function fieldsOf({ protocol, port, from, to }: TracedPacket): ReadonlyMap<string, readonly (string | number)[]> {
  const isV6 = from.address.includes(':')
  const icmp = isV6 ? 'icmpv6' : 'icmp'
  const transports = { tcp: ['tcp', 6], udp: ['udp', 17], icmp: isV6 ? ['ipv6-icmp', 58] : ['icmp', 1] } as const
  const ip = isV6 ? 'ip6' : 'ip'
  return new Map<string, readonly (string | number)[]>([
    ['meta nfproto', [isV6 ? 'ipv6' : 'ipv4']],
    ['meta l4proto', transports[protocol]],
    [`${ip} saddr`, [from.address]],
    [`${ip} daddr`, [to.address]],
    ...(protocol === 'icmp'
      ? ([
          [`${icmp} type`, ['echo-request', isV6 ? 128 : 8]],
          // nft names the code by its number alone, whatever the type.
          [`${icmp} code`, [0, isV6 ? 'no-route' : 'net-unreachable']],
        ] as const)
      : ([[`${protocol} dport`, [port]]] as const)),
  ])
}

function isIn(address: string, text: string): boolean {
  if (address.includes(':') !== text.includes(':')) return false
  const parsed = ipaddr.parse(address)
  return text.includes('/') ? parsed.match(ipaddr.parseCIDR(text)) : parsed.toString() === ipaddr.parse(text).toString()
}

function equals(found: string | number, wanted: unknown, { elements }: Rules): boolean {
  const [isPrefix, isRange] = [prefix.safeParse(wanted), range.safeParse(wanted)]
  if (isPrefix.success) return isIn(String(found), `${isPrefix.data.prefix.addr}/${isPrefix.data.prefix.len}`)
  if (isRange.success) return Number(found) >= isRange.data.range[0] && Number(found) <= isRange.data.range[1]
  if (typeof wanted === 'string' && wanted.startsWith('@'))
    return [...(elements.get(wanted.slice(1))?.keys() ?? [])].some((key) => isIn(String(found), key))
  return typeof found === 'string' && typeof wanted === 'string' && ipaddr.isValid(found) && ipaddr.isValid(wanted)
    ? isIn(found, wanted)
    : found === wanted
}

/** Of what a first packet does not have (the state of its connection, a mark of the host's) nothing matches. */
function matches(
  one: z.output<typeof match>,
  fields: ReadonlyMap<string, readonly (string | number)[]>,
  rules: Rules,
): boolean {
  const [isPayload, isMeta] = [payload.safeParse(one.left), meta.safeParse(one.left)]
  const name = isPayload.success
    ? `${isPayload.data.payload.protocol} ${isPayload.data.payload.field}`
    : `meta ${isMeta.success ? isMeta.data.meta.key : '?'}`
  // Frames of guests are never marked as the host's.
  if (name === 'meta mark') return one.op === '!=' && one.right === marks.host
  return (fields.get(name) ?? []).some((found) => equals(found, one.right, rules))
}

/** @returns null when the end of the chain is reached */
function verdictOf(chain: string, fields: ReturnType<typeof fieldsOf>, rules: Rules): 'accept' | 'drop' | null {
  for (const steps of rules.chains.get(chain) ?? []) {
    if (!steps.every((one) => one.match === undefined || matches(one.match, fields, rules))) continue
    const last = steps.at(-1)
    if (last?.accept === null) return 'accept'
    if (last?.drop === null) return 'drop'
    if (last?.return === null) return null
    if (last?.goto) return verdictOf(last.goto.target, fields, rules)
    const below = last?.jump && verdictOf(last.jump.target, fields, rules)
    if (below) return below
  }
  return null
}

function passesGroups(map: 'egress' | 'ingress', key: string, packet: TracedPacket, rules: Rules): boolean {
  const chain = /^(?:jump|goto) (\S+)$/.exec(rules.elements.get(map)?.get(key) ?? '')?.[1]
  return chain !== undefined && verdictOf(chain, fieldsOf(packet), rules) === 'accept'
}

function maySend(device: string, { mac, address }: TracedPacket['from'], { elements }: Rules): boolean {
  const head = `${device} . ${mac} . `
  const family = address.includes(':') ? 6 : 4
  return [`senders${family}`, `ranges${family}`].some((set) =>
    [...(elements.get(set)?.keys() ?? [])].some((key) => key.startsWith(head) && isIn(address, key.slice(head.length))),
  )
}

function egress({ from }: TracedWay, packet: TracedPacket, rules: Rules): TraceVerdict | null {
  const role = rules.elements.get('ports')?.get(from)
  if (role === 'drop') return { passes: false, stage: 'classify' }
  if (role !== 'goto guarded') return null
  if (!maySend(from, packet.from, rules)) return { passes: false, stage: 'sender' }
  const mark = rules.elements.get('marks')?.get(from) ?? ''
  return passesGroups('egress', mark, packet, rules) ? null : { passes: false, stage: 'egressVerdict' }
}

function ingress(to: string, packet: TracedPacket, rules: Rules): TraceVerdict | null {
  const role = rules.elements.get('heard')?.get(to)
  if (role === 'goto hearsAll') return null
  if (role !== 'goto hears' || rules.elements.get('macs')?.has(`${to} . ${packet.to.mac}`) !== true)
    return { passes: false, stage: 'deliver' }
  const number = rules.elements.get('numbers')?.get(to) ?? ''
  return passesGroups('ingress', number, packet, rules) ? null : { passes: false, stage: 'ingressVerdict' }
}

/** @param texts what `nft -j list table` says of each of our tables */
export function traceThrough(
  { texts, owner }: { readonly texts: readonly string[]; readonly owner: string },
  way: TracedWay,
  packet: TracedPacket,
): TraceVerdict {
  const chains = new Map<string, (readonly Step[])[]>()
  for (const { rule } of texts.flatMap((text) => ruleset.parse(JSON.parse(text)).nftables))
    if (rule?.family === 'inet') chains.set(rule.chain, [...(chains.get(rule.chain) ?? []), rule.expr])
  const rules = { elements: listingOf(texts, owner).elements, chains }
  const stopped = egress(way, packet, rules) ?? (way.to === null ? null : ingress(way.to, packet, rules))
  return stopped ?? { passes: true, stage: way.to === null ? 'deliver' : 'ingressCommit' }
}

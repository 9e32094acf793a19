/** What the switch would do with a packet, without sending one. Source: ovs-vswitchd(8), ofproto/trace */
import { execa } from 'execa'
import { messageOf, Unavailable } from '../core/errors.ts'
import { tables } from './flows/flow.ts'

const timeoutMs = 10_000

/** The first packet of a connection. */
export interface TracedPacket {
  readonly protocol: 'tcp' | 'udp' | 'icmp'
  /** destination port of TCP and UDP */
  readonly port: number
  readonly from: { readonly mac: string; readonly address: string }
  readonly to: { readonly mac: string; readonly address: string }
}

/** How a packet's way through the switch ends. */
export interface TraceVerdict {
  readonly passes: boolean
  /** the table in which the way ended */
  readonly stage: keyof typeof tables | 'unknown'
}

/** Where a packet comes in: an OpenFlow number, and the tag that it has there. */
export interface Entrance {
  readonly ofport: number
  /** null = none, as from a guest */
  readonly tag: number | null
}

function matchOf({ protocol, port, from, to }: TracedPacket, { ofport, tag }: Entrance): string {
  const isV6 = from.address.includes(':')
  const [source, target] = isV6 ? ['ipv6_src', 'ipv6_dst'] : ['nw_src', 'nw_dst']
  // An echo request. Source: RFC 792, RFC 4443
  const echo = isV6 ? 'icmpv6_type=128,icmpv6_code=0' : 'icmp_type=8,icmp_code=0'
  const rest = protocol === 'icmp' ? echo : `${protocol}_src=40000,${protocol}_dst=${port}`
  const ends = `dl_src=${from.mac},dl_dst=${to.mac},${source}=${from.address},${target}=${to.address}`
  const tagged = tag === null ? '' : `,dl_vlan=${tag}`
  return `in_port=${ofport}${tagged},${protocol}${isV6 ? '6' : ''},${ends},${rest}`
}

function isStage(name: string): name is keyof typeof tables {
  return Object.hasOwn(tables, name)
}

/** The last table that was asked, and what came out at the end. */
function verdictIn(text: string): TraceVerdict {
  const actions = [...text.matchAll(/^Datapath actions: (.*)$/gm)].at(-1)?.[1] ?? 'drop'
  const last = Number([...text.matchAll(/^\s*(\d+)\. /gm)].at(-1)?.[1] ?? Number.NaN)
  const [stage = 'unknown'] = Object.entries(tables).find(([, number]) => number === last) ?? []
  return { passes: actions !== 'drop', stage: isStage(stage) ? stage : 'unknown' }
}

/**
 * Follows a new connection's first packet through the flows, past the connection tracking of both ends.
 *
 * @param bridge with the path of ovs-vswitchd's control socket
 */
export async function trace(
  { controlPath, name }: { readonly controlPath: string; readonly name: string },
  entrance: Entrance,
  packet: TracedPacket,
): Promise<TraceVerdict> {
  const isNew = ['--ct-next', 'trk,new']
  const words = ['-t', controlPath, 'ofproto/trace', name, matchOf(packet, entrance), ...isNew, ...isNew]
  try {
    const { stdout } = await execa('ovs-appctl', words, { timeout: timeoutMs })
    return verdictIn(stdout)
  } catch (error) {
    throw new Unavailable(`Open vSwitch did not trace a packet: ${messageOf(error)}`, { cause: error })
  }
}

/** Words of the flow tables: see docs/networking.md for the picture. */
import type { Segment } from '../../core/network.ts'

/** Match -> actions, in the words of ovs-ofctl(8). Two flows of one match are one. */
export type Flows = ReadonlyMap<string, string>

export const tables = {
  /** which port a frame came in by */
  classify: 0,
  /** whether a guest may send as this sender */
  sender: 10,
  egressTrack: 20,
  egressState: 21,
  egressGroup: 24,
  egressRemote: 25,
  egressMember: 26,
  egressVerdict: 27,
  egressCommit: 28,
  /** who has this MAC address */
  deliver: 30,
  /** of a network in tunnels: what no port here has */
  flood: 31,
  ingress: 40,
  ingressState: 41,
  ingressGroup: 44,
  ingressRemote: 45,
  ingressMember: 46,
  ingressVerdict: 47,
  ingressCommit: 48,
} as const

/**
 * Registers. A zone of connection tracking is that of a port, whose OpenFlow number it is, so that no guest sees another's connections.
 * The two wide ones are pairs: 64 bits of an id tell groups and rules apart without anybody keeping count.
 */
export const registers = {
  fromHost: 'NXM_NX_REG4[]',
  zone: 'NXM_NX_REG5[]',
  vlan: 'NXM_NX_REG6[]',
  port: 'NXM_NX_REG7[]',
  /** reg8 and reg9 */
  rule: 'OXM_OF_PKT_REG4[]',
  /** reg10 and reg11 */
  group: 'OXM_OF_PKT_REG5[]',
  passes: 'NXM_NX_REG12[]',
} as const
export const zone = 'zone=NXM_NX_REG5[0..15]'

/** The first 64 bits of a UUID, of which 58 are random. */
export function shortId(uuid: string): string {
  return `0x${uuid.replaceAll('-', '').slice(0, 16)}`
}

/** Set in the register of every network that goes in tunnels: no tag has it. */
const overlay = 0x1000000
export const isOverlay = `reg6=0x${overlay.toString(16)}/0x${overlay.toString(16)}`

/** The network as the register has it: its 802.1Q tag, 0 = untagged, or its number in tunnels. */
export function networkOf({ vlan, vni }: Segment): number {
  return vni === undefined || vni === null ? (vlan ?? 0) : overlay + vni
}

export function to(table: number): string {
  return `resubmit(,${table})`
}

export function load(value: number | string, register: string): string {
  return `load:${value}->${register}`
}

/** One flow, for a `Map` of them. */
export function flow(
  table: number,
  priority: number,
  match: string,
  ...actions: readonly string[]
): readonly [string, string] {
  return [`table=${table},priority=${priority}${match === '' ? '' : `,${match}`}`, actions.join(',') || 'drop']
}

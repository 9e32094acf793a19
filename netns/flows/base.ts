/** Flows that are there whatever the ports: between the tables, and what no guest may send. */
import { tunnelTag } from '../bridge-rows.ts'
import { flow, isOverlay, load, registers, tables as t, to, zone, type Flows } from './flow.ts'

const families = ['ip', 'ipv6'] as const
/** Router solicitation, neighbour solicitation and advertisement, and what tells switches of multicast listeners. */
const neighbourTypes = [130, 131, 132, 133, 134, 135, 136, 143] as const
const group = 'dl_dst=01:00:00:00:00:00/01:00:00:00:00:00'

/** No guest answers as a DHCP server, a router or one who redirects. */
function refused(): readonly (readonly [string, string])[] {
  return [
    flow(t.sender, 200, 'udp,tp_src=67'),
    flow(t.sender, 200, 'udp6,tp_src=547'),
    flow(t.sender, 200, 'icmp6,icmp_type=134'),
    flow(t.sender, 200, 'icmp6,icmp_type=137'),
    // A guest's own neighbour discovery is let pass by a flow of its port.
    ...[130, 131, 132, 133, 135, 136, 143].map((type) => flow(t.sender, 120, `icmp6,icmp_type=${type}`)),
  ]
}

/** Router solicitations and what tells switches of listeners: no guest that is held to its own addresses has a use for them. */
const towardsNetwork = [131, 132, 133, 143] as const

/** Each of those would be copied to every port of the network: with hundreds of guests that is most of what a switch does. */
export const unheardFlows: Flows = new Map(
  towardsNetwork.map((type) => flow(t.deliver, 70, `icmp6,icmp_type=${type},${group}`)),
)

interface Way {
  readonly track: number
  readonly state: number
  readonly verdict: number
  readonly commit: number
  readonly onward: string
}

/**
 * One direction of connection tracking. Answers pass while the connection is good. The first direction is held to the rules with each
 * packet, so that a revoked rule ends the connection at once: it is marked, and answers pass no longer either.
 */
function tracked({ track, state, verdict, commit, onward }: Way): readonly (readonly [string, string])[] {
  return families.flatMap((family) => [
    flow(track, 100, family, `ct(table=${state},${zone})`),
    flow(state, 120, `${family},ct_state=+inv+trk`),
    flow(state, 110, `${family},ct_state=+trk+rpl-inv,ct_mark=0`, onward),
    flow(state, 110, `${family},ct_state=+trk+rel-rpl-inv,ct_mark=0`, onward),
    flow(state, 105, `${family},ct_state=+trk+rpl-inv`),
    flow(state, 105, `${family},ct_state=+trk+rel-rpl-inv`),
    flow(verdict, 100, `${family},reg12=1`, to(commit)),
    flow(verdict, 10, `${family},ct_state=+trk+est-rpl`, `ct(commit,${zone},exec(load:0x1->NXM_NX_CT_MARK[]))`),
    flow(commit, 100, `${family},ct_state=+trk+est,ct_mark=0`, onward),
    flow(commit, 90, family, `ct(commit,${zone},exec(load:0x0->NXM_NX_CT_MARK[]))`, onward),
  ])
}

export const baseFlows: Flows = new Map([
  flow(t.classify, 0, ''),
  ...refused(),
  ...tracked({
    track: t.egressTrack,
    state: t.egressState,
    verdict: t.egressVerdict,
    commit: t.egressCommit,
    onward: to(t.deliver),
  }),
  // To many at once a frame goes past the tables of each receiver: only what finds neighbours does.
  ...neighbourTypes.map((type) => flow(t.deliver, 60, `icmp6,icmp_type=${type},${group}`, 'NORMAL')),
  ...neighbourTypes.map((type) => flow(t.deliver, 61, `${isOverlay},icmp6,icmp_type=${type},${group}`, to(t.flood))),
  flow(t.deliver, 50, `ip,${group}`),
  flow(t.deliver, 50, `ipv6,${group}`),
  // A learning switch would carry it to every network without a tag, and out by the trunks.
  flow(t.deliver, 10, isOverlay, to(t.flood)),
  flow(t.deliver, 0, '', 'NORMAL'),
  flow(t.ingress, 100, 'arp', `output:${registers.port}`),
  ...neighbourTypes.map((type) => flow(t.ingress, 110, `icmp6,icmp_type=${type}`, `output:${registers.port}`)),
  ...tracked({
    track: t.ingress,
    state: t.ingressState,
    verdict: t.ingressVerdict,
    commit: t.ingressCommit,
    onward: `output:${registers.port}`,
  }),
])

/**
 * The tag that a trunk's frame has says which network it is on; it keeps the tag unless a port of ours is to get it.
 *
 * @param isTrusted whether a gateway's address that comes by it is the gateway's: another host of the cloud answers for it
 */
export function trunkFlows(ofport: number, isTrusted: boolean): Flows {
  const marks = isTrusted ? [load(1, registers.fromHost)] : []
  return new Map([
    // The tag of ports that are in tunnels, inside this switch only.
    flow(t.classify, 95, `in_port=${ofport},dl_vlan=${tunnelTag}`),
    flow(
      t.classify,
      90,
      `in_port=${ofport},vlan_tci=0x1000/0x1000`,
      'move:NXM_OF_VLAN_TCI[0..11]->NXM_NX_REG6[0..11]',
      ...marks,
      to(t.deliver),
    ),
    flow(t.classify, 90, `in_port=${ofport},vlan_tci=0x0000/0x1000`, load(0, registers.vlan), ...marks, to(t.deliver)),
  ])
}

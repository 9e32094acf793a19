/** The flows of one guest's port. */
import type { Policy, PortSecurity, Segment, Vif } from '../../core/network.ts'
import { sendersOf, type Sender } from '../sender.ts'
import { flow, load, registers, shortId, tables as t, networkOf, to, type Flows } from './flow.ts'

type Entry = readonly [string, string]

/** Where a port is plugged, as flows name it. */
export interface PortPlace {
  readonly ofport: number
  /** number of the meter that its frames pass, or null */
  readonly meter: number | null
}

function isV6(address: string): boolean {
  return address.includes(':')
}

function arpFlows(from: string, { mac, address }: Sender): readonly Entry[] {
  const sender = `arp,${from},dl_src=${mac},arp_sha=${mac}`
  return [
    flow(t.sender, 100, `${sender},arp_spa=${address}`, to(t.deliver)),
    // Asking whether an address is taken names no sender. Source: RFC 5227, section 1.1
    flow(t.sender, 100, `${sender},arp_spa=0.0.0.0,arp_op=1`, to(t.deliver)),
  ]
}

/** Nobody is told that another's address is here. Source: RFC 4861, sections 4.3 and 4.4 */
function neighbourFlows(from: string, { mac, address }: Sender): readonly Entry[] {
  const sender = `${from},dl_src=${mac}`
  const silent = [130, 131, 132, 133, 135, 143] as const
  return [
    ...silent.map((type) =>
      flow(t.sender, 130, `icmp6,icmp_type=${type},${sender},ipv6_src=${address}`, to(t.deliver)),
    ),
    // Before it has an address, a guest asks whether that is taken, and joins the group of those who listen to it.
    ...[131, 135, 143].map((type) =>
      flow(t.sender, 130, `icmp6,icmp_type=${type},${sender},ipv6_src=::`, to(t.deliver)),
    ),
    flow(t.sender, 130, `icmp6,icmp_type=136,${sender},nd_target=${address}`, to(t.deliver)),
  ]
}

function senderFlows(ofport: number, sender: Sender): readonly Entry[] {
  const from = `in_port=${ofport}`
  const { mac, address } = sender
  if (!isV6(address))
    return [
      ...arpFlows(from, sender),
      flow(t.sender, 100, `ip,${from},dl_src=${mac},nw_src=${address}`, to(t.egressTrack)),
    ]
  return [
    ...neighbourFlows(from, sender),
    flow(t.sender, 100, `ipv6,${from},dl_src=${mac},ipv6_src=${address}`, to(t.egressTrack)),
  ]
}

/** Asks each group of the port, then each rule that names another group, and then decides. */
function asked(policy: Policy, { groupIds }: PortSecurity, direction: 'ingress' | 'egress'): readonly string[] {
  const isIn = direction === 'ingress'
  const rules = policy.groups
    .filter(({ id }) => groupIds.includes(id))
    .flatMap((group) => group.rules)
    .filter((rule) => rule.direction === direction && rule.remoteGroupId !== null)
  return [
    load(0, registers.passes),
    ...groupIds.flatMap((id) => [load(shortId(id), registers.group), to(isIn ? t.ingressGroup : t.egressGroup)]),
    ...rules.flatMap(({ id }) => [load(shortId(id), registers.rule), to(isIn ? t.ingressRemote : t.egressRemote)]),
    to(isIn ? t.ingressVerdict : t.egressVerdict),
  ]
}

/** Into the port: from a frame without a tag, and from one that came by a trunk and loses its tag here. */
export function deliverFlows(segment: Segment, mac: string, actions: readonly string[]): readonly Entry[] {
  const { vlan } = segment
  const here = `reg6=${networkOf(segment)},dl_dst=${mac}`
  return [
    flow(t.deliver, 100, `${here},vlan_tci=0x0000`, ...actions),
    ...(vlan === null ? [] : [flow(t.deliver, 100, `${here},dl_vlan=${vlan}`, 'strip_vlan', ...actions)]),
  ]
}

function hostFlows({ addresses }: Vif, ofport: number): readonly Entry[] {
  return addresses.flatMap(({ gateway }) =>
    gateway === null
      ? []
      : [
          flow(
            t.ingressState,
            100,
            isV6(gateway)
              ? `ipv6,reg7=${ofport},reg4=1,ipv6_src=${gateway},ct_state=+trk-rpl-rel-inv`
              : `ip,reg7=${ofport},reg4=1,nw_src=${gateway},ct_state=+trk-rpl-rel-inv`,
            to(t.ingressCommit),
          ),
        ],
  )
}

/**
 * All flows of a port.
 *
 * @param hostReachesGuests whether the host's own address in the subnet may open connections to the guest whatever the groups say
 */
export function portFlows(
  vif: Vif,
  { ofport, meter }: PortPlace,
  { policy, hostReachesGuests }: { readonly policy: Policy; readonly hostReachesGuests: boolean },
): Flows {
  const { mac, security } = vif
  const limited = meter === null ? [] : [`meter:${meter}`]
  const marked = [...limited, load(networkOf(vif), registers.vlan)]
  // A tag that the guest puts on a frame itself would carry it to another network: such frames match nothing.
  const from = `in_port=${ofport},vlan_tci=0x0000`
  if (vif.isUp === false) return new Map([flow(t.classify, 100, from), ...deliverFlows(vif, mac, [])])
  if (security === null)
    return new Map([
      flow(t.classify, 100, from, ...marked, to(t.deliver)),
      ...deliverFlows(vif, mac, [`output:${ofport}`]),
    ])
  const senders = sendersOf(vif, security)
  const inside = [load(ofport, registers.port), load(ofport, registers.zone), to(t.ingress)]
  return new Map([
    flow(t.classify, 100, from, ...marked, load(ofport, registers.zone), to(t.sender)),
    ...senders.flatMap((sender) => senderFlows(ofport, sender)),
    flow(t.egressState, 50, `in_port=${ofport}`, ...asked(policy, security, 'egress')),
    ...[...new Set(senders.map((sender) => sender.mac))].flatMap((one) => deliverFlows(vif, one, inside)),
    ...(hostReachesGuests ? hostFlows(vif, ofport) : []),
    flow(t.ingressState, 50, `reg7=${ofport}`, ...asked(policy, security, 'ingress')),
  ])
}

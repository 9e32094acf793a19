/** A veth pair whose host end is an access port of an Open vSwitch bridge. */
import { closeSync, openSync } from 'node:fs'
import { z } from 'zod'
import { hostDevice, type Vif } from '../../core/network.ts'
import { Bridge, type Datapath } from '../bridge.ts'
import { announce } from '../announce.ts'
import { turnOffTxChecksum } from '../ethtool.ts'
import { Unavailable } from '../../core/errors.ts'
import { metadataAddress } from '../flows/metadata.ts'
import { Firewall } from '../flows/firewall.ts'
import { isNamespace } from '../namespace.ts'
import { shape } from '../shape.ts'
import { RtNetlink, type Link } from '../rtnetlink.ts'
import type { VifType } from './vif-type.ts'

export interface OvsDetails {
  readonly bridge: Bridge
  readonly datapath: Datapath
  readonly firewall: Firewall
}

/** The mark on the host's end, which outlives a crash between its making and its entry in the database. */
function aliasOf(owner: string, portId: string): string {
  return `${owner} port ${portId}`
}

/** The guest's end: MAC, addresses, default routes, up. @returns its index */
async function configure(vif: Vif, netnsPath: string): Promise<number> {
  using inside = new RtNetlink(netnsPath)
  const link = await inside.link(vif.device)
  if (!link) throw new Unavailable(`${vif.device} is missing in ${netnsPath}`)
  await inside.loopbackUp()
  if (link.mac !== vif.mac) await inside.setMac(link.index, vif.mac)
  if (link.mtu !== vif.mtu) await inside.setMtu(link.index, vif.mtu)
  for (const address of vif.addresses) await inside.addAddress(link.index, address)
  await inside.setUp(link.index)
  // The first NIC has the default route, as on a machine with one uplink.
  const gateways = vif.device === 'eth0' ? vif.addresses.map(({ gateway }) => gateway) : []
  for (const gateway of gateways) if (gateway !== null) await inside.addDefaultRoute(link.index, gateway)
  await addRoutes(inside, link.index, vif)
  return link.index
}

/** The routes of the subnets, and the way to the metadata service, which is there without any gateway. */
async function addRoutes(inside: RtNetlink, index: number, { device, addresses }: Vif): Promise<void> {
  for (const { routes = [] } of addresses)
    for (const { destination, nexthop } of routes) await inside.addLinkRoute(index, { destination, gateway: nexthop })
  const hasV4 = addresses.some(({ address }) => !address.includes(':'))
  if (device === 'eth0' && hasV4) await inside.addLinkRoute(index, { destination: `${metadataAddress}/32` })
}

/** Both ends of the pair, each where it belongs; null when one is missing or belongs to another pair. */
async function findPair(
  vif: Vif,
  bridge: Bridge,
  netnsPath: string,
): Promise<{ readonly host: Link; readonly guest: Link } | null> {
  if (!isNamespace(netnsPath)) return null
  using outside = new RtNetlink(bridge.netnsPath)
  const host = await outside.link(hostDevice(vif.portId))
  if (!host) return null
  using inside = new RtNetlink(netnsPath)
  const guest = await inside.link(vif.device)
  return guest?.peerIndex === host.index && host.peerIndex === guest.index ? { host, guest } : null
}

async function createVeth(vif: Vif, bridge: Bridge, netnsPath: string): Promise<void> {
  const host = hostDevice(vif.portId)
  using outside = new RtNetlink(bridge.netnsPath)
  await outside.deleteLink(host)
  const descriptor = openSync(netnsPath, 'r')
  try {
    using inside = new RtNetlink(netnsPath)
    await inside.deleteLink(vif.device)
    await outside.createVeth({ host, guest: vif.device, guestMac: vif.mac, mtu: vif.mtu }, descriptor)
  } finally {
    closeSync(descriptor)
  }
  await outside.setAlias(host, aliasOf(bridge.owner, vif.portId))
}

/**
 * Whether the host's end stands, and its other end is in the guest. What the guest's root did inside (name, MAC, MTU, addresses,
 * routes, down) is the guest's own affair, as it is on any machine.
 */
async function isLinked(vif: Vif, bridge: Bridge, netnsPath: string): Promise<boolean> {
  if (!isNamespace(netnsPath)) return false
  using outside = new RtNetlink(bridge.netnsPath)
  const host = await outside.link(hostDevice(vif.portId))
  if (!host?.isUp || host.mtu !== vif.mtu) return false
  using inside = new RtNetlink(netnsPath)
  return (await inside.links()).some(({ index, peerIndex }) => index === host.peerIndex && peerIndex === host.index)
}

async function isOnBridge(vif: Vif, bridge: Bridge): Promise<boolean> {
  const port = await bridge.port(hostDevice(vif.portId))
  return (
    port !== null &&
    port.vlan === vif.vlan &&
    (port.ofport ?? -1) > 0 &&
    port.error === null &&
    port.externalIds['attached-mac'] === vif.mac
  )
}

async function isPlugged(vif: Vif, { bridge }: OvsDetails, netnsPath: string): Promise<boolean> {
  const [linked, onBridge] = await Promise.all([isLinked(vif, bridge, netnsPath), isOnBridge(vif, bridge)])
  return linked && onBridge
}

function externalIds(vif: Vif): Readonly<Record<string, string>> {
  return {
    'iface-id': vif.portId,
    'attached-mac': vif.mac,
    'vm-uuid': vif.serverId,
    'iface-status': 'active',
  }
}

/** Ids of the ports whose device stands on this host under the mark of the bridge's owner, connected to a bridge or not. */
export async function devicesOf(bridge: Bridge): Promise<readonly string[]> {
  using outside = new RtNetlink(bridge.netnsPath)
  const mark = aliasOf(bridge.owner, '')
  return (await outside.links()).flatMap(({ name, alias }) => {
    const portId = alias?.startsWith(mark) ? alias.slice(mark.length) : null
    return portId !== null && name === hostDevice(portId) ? [portId] : []
  })
}

/** The pair stands, and the guest's end is as its rows say. @returns the index of that end */
async function link(
  vif: Vif,
  { bridge, datapath }: Pick<OvsDetails, 'bridge' | 'datapath'>,
  { netnsPath, isUp }: { readonly netnsPath: string; readonly isUp: boolean },
): Promise<number> {
  if (!isUp) await createVeth(vif, bridge, netnsPath)
  if (datapath === 'netdev') {
    turnOffTxChecksum(hostDevice(vif.portId), bridge.netnsPath)
    turnOffTxChecksum(vif.device, netnsPath)
  }
  const index = await configure(vif, netnsPath)
  const unshaped = vif.outbound === null ? null : await shape(vif, netnsPath)
  if (unshaped !== null) throw new Unavailable(`${vif.device}: its limit was not set: ${unshaped}`)
  return index
}

/**
 * On the bridge, and guarded there before the first frame: what the switch drops for want of a flow it goes on dropping for a while.
 *
 * @param ofport number that its flows have
 */
async function connect(
  vif: Vif,
  { bridge, firewall }: OvsDetails,
  { ofport, guarding }: { readonly ofport: number; readonly guarding: Promise<void> },
): Promise<void> {
  const device = hostDevice(vif.portId)
  await guarding
  await bridge.add({ device, vlan: vif.vlan, externalIds: externalIds(vif), ofport })
  const given = (await bridge.port(device))?.ofport ?? ofport
  if (given !== ofport) await firewall.guard(vif, given)
  if (vif.inbound) await bridge.setLimit(device, vif.inbound)
}

/** A vif that stands already is held to what it may send, whom it may talk to, and its limits, as they are now. */
export async function hold(
  vif: Vif,
  { bridge, firewall }: OvsDetails,
  { ofport, netnsPath }: { readonly ofport: number; readonly netnsPath: string | null },
): Promise<void> {
  await firewall.guard(vif, ofport)
  await bridge.setLimit(hostDevice(vif.portId), vif.inbound)
  if (netnsPath !== null) await shape(vif, netnsPath)
}

export const ovs: VifType<OvsDetails> = {
  name: 'ovs',
  details: z.object({
    bridge: z.instanceof(Bridge),
    datapath: z.enum(['system', 'netdev']),
    firewall: z.instanceof(Firewall),
  }),

  async plug(vif, { bridge, datapath, firewall }, netnsPath) {
    const device = hostDevice(vif.portId)
    const pair = await findPair(vif, bridge, netnsPath)
    const isConnected = pair?.host.isUp === true && (await isOnBridge(vif, bridge))
    // A device made anew under the same name comes to life only when its port was gone in a transaction of its own.
    if (!isConnected) await bridge.remove(device)
    const ofport = isConnected ? ((await bridge.port(device))?.ofport ?? 0) : firewall.number(await bridge.numbers())
    const guarding = firewall.guard(vif, ofport)
    const linking = link(vif, { bridge, datapath }, { netnsPath, isUp: pair?.host.isUp === true })
    // All have ended when this throws: nothing is still being built behind the back of whoever undoes it.
    const [linked, connected] = await Promise.allSettled([
      linking,
      isConnected ? guarding : linking.then(() => connect(vif, { bridge, datapath, firewall }, { ofport, guarding })),
      guarding,
    ])
    if (linked.status === 'rejected') throw linked.reason
    if (connected.status === 'rejected') throw connected.reason
    if (!isConnected) announce(vif, linked.value, netnsPath)
  },

  async unplug(portId, { bridge, firewall }) {
    await bridge.remove(hostDevice(portId))
    await firewall.release(portId)
    using outside = new RtNetlink(bridge.netnsPath)
    await outside.deleteLink(hostDevice(portId))
  },

  isPlugged,
}

/** A veth pair whose host end is an access port of an Open vSwitch bridge. */
import { z } from 'zod'
import { hostDevice, type Vif } from '../../core/network.ts'
import { Bridge, type Datapath } from '../bridge.ts'
import { tagOf } from '../bridge-rows.ts'
import { turnOffTxChecksum } from '../ethtool.ts'
import { Unavailable } from '../../core/errors.ts'
import { Firewall } from '../flows/firewall.ts'
import { shape } from '../shape.ts'
import { RtNetlink } from '../rtnetlink.ts'
import { configure, createVeth, findPair, introduce, isLinked, raise } from './pair.ts'
import type { VifType } from './vif-type.ts'

/** What plugging into Open vSwitch needs. */
export interface OvsDetails {
  readonly bridge: Bridge
  readonly datapath: Datapath
  readonly firewall: Firewall
}

async function isOnBridge(vif: Vif, bridge: Bridge): Promise<boolean> {
  const port = await bridge.port(hostDevice(vif.portId))
  return (
    port !== null &&
    port.vlan === tagOf(vif) &&
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

/** The host's end is up before the switch takes it: one that came up meanwhile was deaf for good, once in forty plugs on a busy machine. */
async function bringUp(vif: Vif, { bridge, datapath }: OvsDetails, netnsPath: string): Promise<void> {
  if (datapath === 'netdev') {
    turnOffTxChecksum(hostDevice(vif.portId), bridge.netnsPath)
    turnOffTxChecksum(vif.device, netnsPath)
  }
  await raise(vif, bridge)
}

/** The guest's end is as its rows say. @returns its index */
async function configureGuest(vif: Vif, netnsPath: string): Promise<number> {
  const index = await configure(vif, netnsPath)
  const unshaped = vif.outbound === null ? null : await shape(vif, netnsPath)
  if (unshaped !== null) throw new Unavailable(`${vif.device}: its limit was not set: ${unshaped}`)
  return index
}

/** On the bridge, with its limit. @param ofport number that its flows have */
async function connect(vif: Vif, { bridge, firewall }: OvsDetails, ofport: number): Promise<void> {
  const port = { device: hostDevice(vif.portId), vlan: tagOf(vif), externalIds: externalIds(vif), ofport }
  const given = await bridge.add({ ...port, limit: vif.inbound })
  if (given !== ofport) await firewall.guard(vif, given)
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

  async plug(vif, details, netnsPath) {
    const { bridge, firewall } = details
    const device = hostDevice(vif.portId)
    const pair = await findPair(vif, bridge, netnsPath)
    const isConnected = pair?.host.isUp === true && (await isOnBridge(vif, bridge))
    // A device made anew under the same name comes to life only when its port was gone in a transaction of its own.
    if (!isConnected) await bridge.remove(device)
    const ofport = isConnected
      ? ((await bridge.port(device))?.ofport ?? 0)
      : await firewall.number(async () => [...(await bridge.numbers()).values()])
    // Before the first frame: what the switch drops for want of a flow it goes on dropping for a while.
    await firewall.guard(vif, ofport)
    if (pair?.host.isUp !== true) await createVeth(vif, bridge, netnsPath)
    await bringUp(vif, details, netnsPath)
    // ovs-vswitchd looks at every port whenever a row comes: meanwhile the guest's end is made ready.
    // All have ended when this throws: nothing is still being built behind the back of whoever undoes it.
    const [linked, connected] = await Promise.allSettled([
      configureGuest(vif, netnsPath),
      isConnected ? Promise.resolve() : connect(vif, details, ofport),
    ])
    if (linked.status === 'rejected') throw linked.reason
    if (connected.status === 'rejected') throw connected.reason
    if (!isConnected) await introduce(vif, bridge, netnsPath, linked.value)
  },

  async unplug(portId, { bridge, firewall }) {
    await bridge.remove(hostDevice(portId))
    using outside = new RtNetlink(bridge.netnsPath)
    const ended = await Promise.allSettled([firewall.release(portId), outside.deleteLink(hostDevice(portId))])
    for (const one of ended) if (one.status === 'rejected') throw one.reason
  },

  isPlugged,
}

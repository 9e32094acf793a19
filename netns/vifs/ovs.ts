/** A veth pair whose host end is an access port of an Open vSwitch bridge. */
import { z } from 'zod'
import { hostDevice, type Vif } from '../../core/network.ts'
import { Bridge, type Datapath } from '../bridge.ts'
import { tagOf } from '../bridge-rows.ts'
import { announce } from '../announce.ts'
import { turnOffTxChecksum } from '../ethtool.ts'
import { Unavailable } from '../../core/errors.ts'
import { Firewall } from '../flows/firewall.ts'
import { shape } from '../shape.ts'
import { RtNetlink } from '../rtnetlink.ts'
import { configure, createVeth, findPair, isLinked } from './pair.ts'
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
  const given = await bridge.add({ device, vlan: tagOf(vif), externalIds: externalIds(vif), ofport })
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
    const ofport = isConnected
      ? ((await bridge.port(device))?.ofport ?? 0)
      : await firewall.number(async () => [...(await bridge.numbers()).values()])
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

/** A veth pair whose host end is a port of a Linux bridge, guarded by nftables. */
import { z } from 'zod'
import { Unavailable } from '../../core/errors.ts'
import { hostDevice, type Vif } from '../../core/network.ts'
import { BridgeNetworks } from '../bridge-networks.ts'
import { lift, limit } from '../bridge-limit.ts'
import { Guard } from '../nft/guard.ts'
import { RtNetlink } from '../rtnetlink.ts'
import { configure, createVeth, findPair, introduce, isLinked, markedEnds } from './pair.ts'
import type { VifType } from './vif-type.ts'

/** What plugging into Linux bridges needs. */
export interface BridgeDetails {
  readonly networks: BridgeNetworks
  readonly guard: Guard
}

/** Whether the host end is a port of its network's bridge, under the mark of this MAC address. */
async function isOnBridge(vif: Vif, { networks: { bridges } }: BridgeDetails): Promise<boolean> {
  using here = new RtNetlink(bridges.netnsPath)
  const [bridge, link] = [await here.link(bridges.nameOf(vif)), await here.link(hostDevice(vif.portId))]
  return (
    bridge?.isUp === true &&
    link?.master === bridge.index &&
    (await markedEnds(bridges)).some(({ portId, mac }) => portId === vif.portId && mac === vif.mac)
  )
}

/** The pair stands, and the guest's end is as its rows say. @returns the index of that end */
async function link(vif: Vif, { networks: { bridges } }: BridgeDetails, netnsPath: string): Promise<number> {
  const pair = await findPair(vif, bridges, netnsPath)
  if (pair?.host.isUp !== true) await createVeth(vif, bridges, netnsPath)
  return await configure(vif, netnsPath)
}

/** A vif that stands already is held to what it may send, whom it may talk to, and its limits, as they are now. */
export async function hold(vif: Vif, { networks, guard }: BridgeDetails): Promise<void> {
  await networks.join(vif)
  await guard.guard(vif, networks.bridges.nameOf(vif))
  await networks.leadBack(vif, guard.numberOf(vif.portId))
  await limit(networks.bridges, hostDevice(vif.portId), vif)
}

export const bridge: VifType<BridgeDetails> = {
  name: 'bridge',
  details: z.object({ networks: z.instanceof(BridgeNetworks), guard: z.instanceof(Guard) }),

  async plug(vif, details, netnsPath) {
    const { networks, guard } = details
    const name = networks.bridges.nameOf(vif)
    const wasWhole = await bridge.isPlugged(vif, details, netnsPath)
    // All have ended when this throws: nothing is still being built behind the back of whoever undoes it.
    const [linked, joined, guarded] = await Promise.allSettled([
      link(vif, details, netnsPath),
      networks.join(vif),
      guard.guard(vif, name),
    ])
    for (const one of [linked, joined, guarded]) if (one.status === 'rejected') throw one.reason
    if (linked.status !== 'fulfilled') throw new Unavailable(`${vif.device} was not made`)
    await networks.bridges.attach(hostDevice(vif.portId), name)
    await hold(vif, details)
    if (!wasWhole) await introduce(vif, networks.bridges, netnsPath, linked.value)
  },

  async unplug(portId, { networks: { bridges }, guard }) {
    const device = hostDevice(portId)
    await lift(bridges, device)
    using here = new RtNetlink(bridges.netnsPath)
    await here.deleteLink(device)
    await guard.release(portId)
  },

  async isPlugged(vif, details, netnsPath) {
    return (await isLinked(vif, details.networks.bridges, netnsPath)) && (await isOnBridge(vif, details))
  },
}

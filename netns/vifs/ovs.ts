/** A veth pair whose host end is an access port of an Open vSwitch bridge. */
import { closeSync, openSync } from 'node:fs'
import { z } from 'zod'
import { hostDevice, type Vif } from '../../core/network.ts'
import { Bridge, type Datapath } from '../bridge.ts'
import { turnOffTxChecksum } from '../ethtool.ts'
import { RtNetlink } from '../rtnetlink.ts'
import type { VifType } from './vif-type.ts'

export interface OvsDetails {
  readonly bridge: Bridge
  readonly datapath: Datapath
}

function addressTexts(vif: Vif): readonly string[] {
  return vif.addresses.map(({ address, prefixLength }) => `${address}/${prefixLength}`)
}

/** The guest's end: addresses, default routes, up. */
async function configure(vif: Vif, netnsPath: string): Promise<void> {
  using inside = new RtNetlink(netnsPath)
  const link = await inside.link(vif.device)
  if (!link) throw new Error(`${vif.device} is missing in ${netnsPath}`)
  await inside.loopbackUp()
  for (const address of vif.addresses) await inside.addAddress(link.index, address)
  await inside.setUp(link.index)
  // The first NIC has the default route, as on a machine with one uplink.
  if (vif.device !== 'eth0') return
  for (const { gateway } of vif.addresses) if (gateway !== null) await inside.addDefaultRoute(link.index, gateway)
}

async function createVeth(vif: Vif, netnsPath: string): Promise<void> {
  const host = hostDevice(vif.portId)
  using outside = new RtNetlink(null)
  await outside.deleteLink(host)
  {
    using inside = new RtNetlink(netnsPath)
    await inside.deleteLink(vif.device)
  }
  const descriptor = openSync(netnsPath, 'r')
  try {
    await outside.createVeth({ host, guest: vif.device, guestMac: vif.mac, mtu: vif.mtu, netnsPath }, descriptor)
  } finally {
    closeSync(descriptor)
  }
}

async function isLinked(vif: Vif, netnsPath: string): Promise<boolean> {
  using outside = new RtNetlink(null)
  const hostEnd = await outside.link(hostDevice(vif.portId))
  if (hostEnd?.isUp !== true) return false
  using inside = new RtNetlink(netnsPath)
  const guestEnd = await inside.link(vif.device)
  if (guestEnd?.isUp !== true || guestEnd.mac !== vif.mac || guestEnd.mtu !== vif.mtu) return false
  const present = new Set((await inside.addresses(guestEnd.index)).map(({ text }) => text))
  return addressTexts(vif).every((text) => present.has(text))
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
  const [linked, onBridge] = await Promise.all([isLinked(vif, netnsPath), isOnBridge(vif, bridge)])
  return linked && onBridge
}

export const ovs: VifType<OvsDetails> = {
  name: 'ovs',
  details: z.object({ bridge: z.instanceof(Bridge), datapath: z.enum(['system', 'netdev']) }),

  async plug(vif, details, netnsPath) {
    if (await isPlugged(vif, details, netnsPath)) return
    const device = hostDevice(vif.portId)
    // A device that was made anew under the same name comes to life only when its port was gone in a transaction of its own.
    await details.bridge.remove(device)
    await createVeth(vif, netnsPath)
    if (details.datapath === 'netdev') {
      turnOffTxChecksum(device, null)
      turnOffTxChecksum(vif.device, netnsPath)
    }
    const externalIds = {
      'iface-id': vif.portId,
      'attached-mac': vif.mac,
      'vm-uuid': vif.serverId,
      'iface-status': 'active',
    }
    await Promise.all([
      configure(vif, netnsPath),
      details.bridge.add({ device, vlan: vif.vlan, type: '', externalIds }),
    ])
  },

  async unplug(portId, { bridge }) {
    await bridge.remove(hostDevice(portId))
    using outside = new RtNetlink(null)
    await outside.deleteLink(hostDevice(portId))
  },

  isPlugged,
}

/** A device of the machine, such as a NIC or a bond, as a trunk of the bridge: guests sit in the VLANs that it carries. */
import { Unavailable } from '../core/errors.ts'
import type { Bridge, Datapath } from './bridge.ts'
import { turnOffTxChecksum } from './ethtool.ts'
import { RtNetlink, type Link } from './rtnetlink.ts'

export const trunkRole = 'trunk'
/** Tells a device of the machine's from the cables between hosts, which are trunks too. */
const ofMachine = { 'berth-uplink': 'true' } as const

/** @throws Unavailable when the machine has no such device */
export async function uplinkLink(outside: RtNetlink, device: string): Promise<Link> {
  const link = await outside.link(device)
  if (!link) throw new Unavailable(`uplink ${device}: there is no such device`)
  return link
}

/** It is up, and a port of the bridge. Frames pass when its flows are there too. @throws Unavailable when the machine has no such device */
export async function ensureUplink(
  { bridge, datapath }: { readonly bridge: Bridge; readonly datapath: Datapath },
  device: string,
): Promise<void> {
  using outside = new RtNetlink(bridge.netnsPath)
  const link = await uplinkLink(outside, device)
  if (!link.isUp) await outside.setUp(link.index)
  if (datapath === 'netdev') turnOffTxChecksum(device, bridge.netnsPath)
  const port = await bridge.port(device)
  if (port && (port.ofport ?? -1) > 0 && port.error === null) return
  await bridge.remove(device)
  await bridge.add({ device, vlan: null, externalIds: { 'berth-role': trunkRole, ...ofMachine } })
}

/** Devices that were an uplink before, and are the machine's own again when this returns. @returns their names */
export async function leaveUplinks(bridge: Bridge, but: string | null): Promise<readonly string[]> {
  const left = (await bridge.ports()).filter(
    ({ device, externalIds }) => device !== but && externalIds['berth-uplink'] !== undefined,
  )
  for (const { device } of left) await bridge.remove(device)
  return left.map(({ device }) => device)
}

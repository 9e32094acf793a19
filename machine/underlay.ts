/** What joins the hosts of one machine beside their trunks: a network with addresses, by which tunnels of guests' networks go. */
import { createHash } from 'node:crypto'
import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { Unavailable } from '../core/errors.ts'
import { turnOffTxChecksum } from '../netns/ethtool.ts'
import { LinuxBridges } from '../netns/linux-bridges.ts'
import { ensureNamespace, removeNamespace, type NamespaceSettings } from '../netns/namespace.ts'
import { RtNetlink } from '../netns/rtnetlink.ts'
import type { Site } from './parts/part.ts'

const prefixLength = 24
/** What is usual between machines: guests in tunnels get an MTU as they would there. */
const mtu = 1500
const switchName = 'switch'

/** The switch between the hosts stands in a namespace of its own: no firewall of the machine's looks at what passes. */
function placeOf({ layout }: Site): NamespaceSettings {
  return { directory: join(layout.run, 'underlay'), guestRootUid: 0 }
}

/**
 * The address at which the hosts of this machine reach the one of that number, from 1; null where the settings name one for the first: then
 * the tunnels go by a network of the operator's. Link-local, so that it is no network's; the third number tells clouds on one machine apart.
 */
function tunnelAddressOf({ config, layout }: Site, index: number): string | null {
  if (config.tunnelAddress !== null) return null
  const third = 1 + ((createHash('sha256').update(layout.home).digest()[0] ?? 0) % 168)
  return `169.254.${third}.${index}`
}

/** The host as its agent is told of it: with its tunnel address, where the machine gives it one. @param index null = it is alone */
export function reaching(host: Site, first: Site, index: number | null): Site {
  const tunnelAddress = index === null ? null : tunnelAddressOf(first, index)
  return tunnelAddress === null ? host : { ...host, config: { ...host.config, tunnelAddress } }
}

function deviceOf({ config }: Site): string {
  return `${config.namePrefix}-tun`
}

async function plug(
  place: { readonly netnsPath: string | null; readonly device: string; readonly address: string },
  { bridges, port }: { readonly bridges: LinuxBridges; readonly port: string },
): Promise<void> {
  const { netnsPath, device, address } = place
  if (bridges.netnsPath === null) throw new Unavailable('the switch between the hosts has no namespace')
  using here = new RtNetlink(netnsPath)
  using there = new RtNetlink(bridges.netnsPath)
  const [near, far] = [await here.link(device), await there.link(port)]
  if (!near || near.peerIndex !== far?.index) {
    await here.deleteLink(device)
    const descriptor = openSync(bridges.netnsPath, 'r')
    try {
      const digest = createHash('sha256').update(`${bridges.netnsPath} ${port}`).digest('hex').slice(0, 10)
      const mac = `0a:${(digest.match(/../g) ?? []).join(':')}`
      await here.createVeth({ host: device, guest: port, guestMac: mac, mtu }, descriptor)
    } finally {
      closeSync(descriptor)
    }
  }
  // Between veth devices nobody else would complete the checksums of what is inside a tunnel.
  turnOffTxChecksum(device, netnsPath)
  const made = await here.link(device)
  if (made) await here.addAddress(made.index, { address, prefixLength })
  await bridges.attach(port, switchName)
}

/** The first host and these others reach each other at their tunnel addresses. */
export async function joinHosts(first: Site, others: readonly Site[]): Promise<void> {
  if (tunnelAddressOf(first, 1) === null) return
  const { netnsPath } = await ensureNamespace(placeOf(first), 'net')
  const bridges = new LinuxBridges(first.config.namePrefix, netnsPath)
  for (const [index, site] of [first, ...others].entries()) {
    const address = tunnelAddressOf(first, index + 1) ?? ''
    const place = { netnsPath: site.config.switchNamespace, device: deviceOf(site), address }
    await plug(place, { bridges, port: `host${index + 1}` })
  }
}

/** All that joins the hosts goes; nothing there counts as gone. */
export function separateHosts(first: Site): void {
  removeNamespace(placeOf(first), 'net')
}

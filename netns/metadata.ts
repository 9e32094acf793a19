/** The place of the metadata service: a namespace without a name, with one device on the bridge. It ends with its process. */
import { closeSync } from 'node:fs'
import type { Bridge, Datapath } from './bridge.ts'
import { turnOffTxChecksum } from './ethtool.ts'
import { metadataAddress, type MetadataPlace } from './flows/metadata.ts'
import { bindIn, listenIn } from './listen.ts'
import { openUnnamed } from './namespace.ts'
import { RtNetlink } from './rtnetlink.ts'

const metadataRole = 'metadata'
const inside = 'eth0'
/** Locally administered; in a namespace of its own it meets no other. */
const mac = '02:00:00:00:ff:fd'
const mtu = 1500

/** Descriptors, each to be handed to a server. */
export interface MetadataSockets {
  readonly http: number
  readonly dnsUdp: number
  readonly dnsTcp: number
}

/** The metadata service's device, and the sockets on it. */
export interface MetadataSite {
  readonly place: MetadataPlace
  readonly sockets: MetadataSockets
  /** Takes down what `openMetadata` made; the sockets end with their servers. */
  close(): Promise<void>
}

async function furnish(
  bridge: Bridge,
  datapath: Datapath,
  { device, namespace }: { device: string; namespace: number },
): Promise<void> {
  const path = `/proc/self/fd/${namespace}`
  using outside = new RtNetlink(bridge.netnsPath)
  await outside.deleteLink(device)
  await outside.createVeth({ host: device, guest: inside, guestMac: mac, mtu }, namespace)
  using here = new RtNetlink(path)
  const link = await here.link(inside)
  await here.loopbackUp()
  await here.addAddress(link?.index ?? 0, { address: metadataAddress, prefixLength: 32 })
  await here.setUp(link?.index ?? 0)
  // All callers: see callerAddress.
  await here.addLinkRoute(link?.index ?? 0, { destination: '10.0.0.0/16' })
  if (datapath === 'netdev') {
    turnOffTxChecksum(device, bridge.netnsPath)
    turnOffTxChecksum(inside, path)
  }
  await bridge.add({ device, vlan: null, externalIds: { 'berth-role': metadataRole } })
}

const ports = { http: 80, dns: 53 } as const

/** Sockets in the namespace of that path. */
export function openSockets(netnsPath: string): MetadataSockets {
  return {
    http: listenIn(netnsPath, ports.http),
    dnsUdp: bindIn(netnsPath, ports.dns),
    dnsTcp: listenIn(netnsPath, ports.dns),
  }
}

/** Someone listens at the metadata address of the bridge's guests. What a dead process left of it is replaced. */
export async function openMetadata(bridge: Bridge, datapath: Datapath, device: string): Promise<MetadataSite> {
  const namespace = openUnnamed()
  try {
    await bridge.remove(device)
    await furnish(bridge, datapath, { device, namespace })
    const ofport = (await bridge.port(device))?.ofport ?? 0
    const sockets = openSockets(`/proc/self/fd/${namespace}`)
    const close = async (): Promise<void> => {
      closeSync(namespace)
      await bridge.remove(device)
      using outside = new RtNetlink(bridge.netnsPath)
      await outside.deleteLink(device)
    }
    return { place: { ofport, mac }, sockets, close }
  } catch (error) {
    closeSync(namespace)
    throw error
  }
}

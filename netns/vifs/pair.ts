/** The veth pair of a guest, whatever its host end is plugged into. */
import { closeSync, openSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Unavailable } from '../../core/errors.ts'
import { hostDevice, type Vif } from '../../core/network.ts'
import { announce } from '../announce.ts'
import { metadataAddress } from '../flows/metadata.ts'
import { turnOffIpv6 } from '../ipv6-off.ts'
import { isNamespace } from '../namespace.ts'
import { RtNetlink, type Link } from '../rtnetlink.ts'

const pollMs = 1
/** Nobody waits longer for ends that are up to come to life: the guest's root may have taken its own down again. */
const mostMs = 2000

/** Where host ends stand, and whose mark they bear. */
export interface Stand {
  /** the namespace of the host ends; null = the host's own */
  readonly netnsPath: string | null
  readonly owner: string
}

/** The mark on the host's end, which outlives a crash between its making and its entry in the switch. */
function aliasOf(owner: string, { portId, serverId, mac }: Pick<Vif, 'portId' | 'serverId' | 'mac'>): string {
  return `${owner} port ${portId} server ${serverId} mac ${mac}`
}

/** The guest's end: MAC, addresses, default routes, up. @returns its index */
export async function configure(vif: Vif, netnsPath: string): Promise<number> {
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
export async function findPair(
  vif: Vif,
  stand: Stand,
  netnsPath: string,
): Promise<{ readonly host: Link; readonly guest: Link } | null> {
  if (!isNamespace(netnsPath)) return null
  using outside = new RtNetlink(stand.netnsPath)
  const host = await outside.link(hostDevice(vif.portId))
  if (!host) return null
  using inside = new RtNetlink(netnsPath)
  const guest = await inside.link(vif.device)
  return guest?.peerIndex === host.index && host.peerIndex === guest.index ? { host, guest } : null
}

/** Both ends are down when this returns, and the host's has its mark. */
export async function createVeth(vif: Vif, stand: Stand, netnsPath: string): Promise<void> {
  const host = hostDevice(vif.portId)
  using outside = new RtNetlink(stand.netnsPath)
  await outside.deleteLink(host)
  const descriptor = openSync(netnsPath, 'r')
  try {
    using inside = new RtNetlink(netnsPath)
    await inside.deleteLink(vif.device)
    const ends = { host, guest: vif.device, guestMac: vif.mac, mtu: vif.mtu, isUp: false }
    await outside.createVeth(ends, descriptor)
  } finally {
    closeSync(descriptor)
  }
  turnOffIpv6(host, stand.netnsPath)
  await outside.setAlias(host, aliasOf(stand.owner, vif))
}

/** The host's end is up. */
export async function raise({ portId }: Vif, { netnsPath }: Stand): Promise<void> {
  using outside = new RtNetlink(netnsPath)
  const host = await outside.link(hostDevice(portId))
  if (!host) throw new Unavailable(`${hostDevice(portId)} is missing`)
  if (!host.isUp) await outside.setUp(host.index)
}

/**
 * Its neighbours learn who has the addresses now. The kernel lets frames pass a moment after both ends are up, on a busy machine a long
 * one: what is sent before is lost.
 */
export async function introduce(vif: Vif, stand: Stand, netnsPath: string, index: number): Promise<void> {
  const deadline = performance.now() + mostMs
  using outside = new RtNetlink(stand.netnsPath)
  using inside = new RtNetlink(netnsPath)
  const areOperational = async (): Promise<boolean> => {
    const [host, guest] = [await outside.link(hostDevice(vif.portId)), await inside.link(vif.device)]
    return host?.isOperational === true && guest?.isOperational === true
  }
  while (!(await areOperational()) && performance.now() < deadline) await sleep(pollMs)
  announce(vif, index, netnsPath)
}

/**
 * Whether the host's end stands, and its other end is in the guest. What the guest's root did inside (name, MAC, MTU, addresses,
 * routes, down) is the guest's own affair, as it is on any machine.
 */
export async function isLinked(vif: Vif, stand: Stand, netnsPath: string): Promise<boolean> {
  if (!isNamespace(netnsPath)) return false
  using outside = new RtNetlink(stand.netnsPath)
  const host = await outside.link(hostDevice(vif.portId))
  if (!host?.isUp || host.mtu !== vif.mtu) return false
  using inside = new RtNetlink(netnsPath)
  return (await inside.links()).some(({ index, peerIndex }) => index === host.peerIndex && peerIndex === host.index)
}

/** What the mark of a host end says, and the end itself. */
export interface MarkedEnd {
  readonly link: Link
  readonly portId: string
  readonly serverId: string | null
  readonly mac: string | null
}

/** Every host end that stands here under the mark of this owner, in a switch or in none. */
export async function markedEnds(stand: Stand): Promise<readonly MarkedEnd[]> {
  using outside = new RtNetlink(stand.netnsPath)
  return (await outside.links()).flatMap((link) => {
    const [owner, what, portId, , serverId, , mac] = link.alias?.split(' ') ?? []
    if (owner !== stand.owner || what !== 'port' || portId === undefined || link.name !== hostDevice(portId)) return []
    return [{ link, portId, serverId: serverId ?? null, mac: mac ?? null }]
  })
}

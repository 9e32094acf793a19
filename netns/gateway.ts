/**
 * The host's own address in a guests' network: an internal port of the bridge, tagged with the network's VLAN; or, where subnets overlap, the
 * end of a veth pair in a namespace of its own.
 */
import { createHash } from 'node:crypto'
import { closeSync, openSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Conflict, Unavailable } from '../core/errors.ts'
import type { Bridge } from './bridge.ts'
import { turnOffTxChecksum } from './ethtool.ts'
import type { OvsDetails } from './vifs/ovs.ts'
import { addressText, RtNetlink, type Link } from './rtnetlink.ts'

export interface Gateway {
  /** interface name, 15 characters at most */
  readonly device: string
  readonly vlan: number | null
  readonly mtu: number
  readonly addresses: readonly { readonly address: string; readonly prefixLength: number }[]
  /** of the namespace that the device stands in; none = that of the switch */
  readonly netnsPath?: string
}

/** In the external ids of its port. */
const placeKey = 'berth-netns'

const appearMs = 5000

async function appeared(outside: RtNetlink, device: string): Promise<Link> {
  const deadline = performance.now() + appearMs
  while (performance.now() < deadline) {
    const link = await outside.link(device)
    if (link) return link
    await sleep(5)
  }
  throw new Unavailable(`Open vSwitch made no device ${device} within ${appearMs / 1000} s`)
}

/** The same after every restart of the switch, so that guests need not learn their gateway anew: locally administered, unicast. */
function gatewayMac(owner: string, device: string): string {
  const digest = createHash('sha256').update(`${owner} ${device}`).digest('hex').slice(0, 10)
  return `0a:${(digest.match(/../g) ?? []).join(':')}`
}

function isLinkLocal(text: string): boolean {
  return text.startsWith('fe80:')
}

function refuseTaken(gateway: Gateway, elsewhere: readonly { readonly text: string }[]): void {
  const texts = new Set(gateway.addresses.map((address) => hostPart(addressText(address))))
  const taken = elsewhere.find(({ text }) => texts.has(hostPart(text)))
  if (taken) throw new Conflict(`${taken.text} is on another device of this host already`)
}

function hostPart(text: string): string {
  return text.split('/')[0] ?? text
}

function ids({ netnsPath }: Gateway): Readonly<Record<string, string>> {
  return { 'berth-role': 'gateway', ...(netnsPath === undefined ? {} : { [placeKey]: netnsPath }) }
}

async function clear(bridge: Bridge, device: string): Promise<void> {
  await bridge.remove(device)
  using outside = new RtNetlink(bridge.netnsPath)
  await outside.deleteLink(device)
}

async function connect(bridge: Bridge, { device, vlan, mtu, ...place }: Gateway, mac: string): Promise<void> {
  await clear(bridge, device)
  await bridge.add({ device, vlan, internal: { mac, mtu }, externalIds: ids({ device, vlan, mtu, ...place }) })
}

/** Whether the port is as it is to be, in the place where it is to be. */
async function isThere(bridge: Bridge, { device, vlan, netnsPath }: Gateway): Promise<boolean> {
  const port = await bridge.port(device)
  return port?.vlan === vlan && (port.ofport ?? -1) > 0 && port.externalIds[placeKey] === netnsPath
}

async function furnish(
  there: RtNetlink,
  { index, isUp }: Pick<Link, 'index' | 'isUp'>,
  { addresses }: Gateway,
): Promise<void> {
  const wanted = addresses.map(addressText)
  const here = (await there.addresses(index)).map(({ text }) => text)
  if (!isUp) await there.setUp(index)
  for (const address of addresses) if (!here.includes(addressText(address))) await there.addAddress(index, address)
  for (const text of here) if (!wanted.includes(text) && !isLinkLocal(text)) await there.removeAddress(index, text)
}

/** A pair of devices of one name: one on the bridge, one in the namespace. */
async function connectApart(
  { bridge, datapath }: Pick<OvsDetails, 'bridge' | 'datapath'>,
  gateway: Gateway,
  { netnsPath, mac }: { readonly netnsPath: string; readonly mac: string },
): Promise<void> {
  const { device, vlan, mtu } = gateway
  await clear(bridge, device)
  using outside = new RtNetlink(bridge.netnsPath)
  using inside = new RtNetlink(netnsPath)
  await inside.deleteLink(device)
  const descriptor = openSync(netnsPath, 'r')
  try {
    await outside.createVeth({ host: device, guest: device, guestMac: mac, mtu }, descriptor)
  } finally {
    closeSync(descriptor)
  }
  if (datapath === 'netdev') {
    turnOffTxChecksum(device, bridge.netnsPath)
    turnOffTxChecksum(device, netnsPath)
  }
  await inside.loopbackUp()
  await bridge.add({ device, vlan, externalIds: ids(gateway) })
}

async function ensureApart(details: OvsDetails, gateway: Gateway, netnsPath: string): Promise<void> {
  const { bridge, firewall } = details
  const { device, vlan, mtu } = gateway
  const mac = gatewayMac(bridge.owner, device)
  using inside = new RtNetlink(netnsPath)
  const link = await inside.link(device)
  const isConnected = link?.mac === mac && link.mtu === mtu && (await isThere(bridge, gateway))
  if (!isConnected) await connectApart(details, gateway, { netnsPath, mac })
  const ofport = (await bridge.port(device))?.ofport ?? -1
  if (ofport > 0) await firewall.addHostPort({ device, ofport, vlan, mac })
  await furnish(inside, await appeared(inside, device), gateway)
}

/**
 * The host answers for these addresses when this returns. Twice is as once.
 *
 * @throws Conflict when another device beside it holds one of them
 */
export async function ensureGateway(details: OvsDetails, gateway: Gateway): Promise<void> {
  if (gateway.netnsPath !== undefined) {
    await ensureApart(details, gateway, gateway.netnsPath)
    return
  }
  const { bridge, datapath, firewall } = details
  const { device, vlan, mtu } = gateway
  using outside = new RtNetlink(bridge.netnsPath)
  const mac = gatewayMac(bridge.owner, device)
  const [link, present] = [await outside.link(device), await outside.addresses()]
  refuseTaken(
    gateway,
    present.filter(({ index }) => index !== link?.index),
  )
  const isConnected = link?.mac === mac && link.mtu === mtu && (await isThere(bridge, gateway))
  if (!isConnected) await connect(bridge, gateway, mac)
  const there = await appeared(outside, device)
  const ofport = (await bridge.port(device))?.ofport ?? -1
  if (ofport > 0) await firewall.addHostPort({ device, ofport, vlan, mac })
  if ((!there.isUp || !isConnected) && datapath === 'netdev') turnOffTxChecksum(device, bridge.netnsPath)
  await furnish(outside, there, gateway)
}

/** The host no longer answers for the gateway's addresses; a missing one counts as removed. */
export async function removeGateway({ bridge, firewall }: OvsDetails, device: string): Promise<void> {
  await clear(bridge, device)
  await firewall.removeDevice(device)
}

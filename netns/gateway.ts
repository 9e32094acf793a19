/** The host's own address in a guests' network: an internal port of the bridge, tagged with the network's VLAN. */
import { createHash } from 'node:crypto'
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
}

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

async function connect(bridge: Bridge, { device, vlan, mtu }: Gateway, mac: string): Promise<void> {
  await bridge.remove(device)
  await bridge.add({ device, vlan, internal: { mac, mtu }, externalIds: { 'berth-role': 'gateway' } })
}

/**
 * The host answers for these addresses when this returns. Twice is as once.
 *
 * @throws Conflict when another device of the host holds one of them
 */
export async function ensureGateway({ bridge, datapath, firewall }: OvsDetails, gateway: Gateway): Promise<void> {
  using outside = new RtNetlink(bridge.netnsPath)
  const wanted = gateway.addresses.map(addressText)
  const mac = gatewayMac(bridge.owner, gateway.device)
  const [link, present] = [await outside.link(gateway.device), await outside.addresses()]
  refuseTaken(
    gateway,
    present.filter(({ index }) => index !== link?.index),
  )
  const port = await bridge.port(gateway.device)
  const isConnected =
    link?.mac === mac && link.mtu === gateway.mtu && port?.vlan === gateway.vlan && (port.ofport ?? -1) > 0
  if (!isConnected) await connect(bridge, gateway, mac)
  const { index, isUp } = await appeared(outside, gateway.device)
  const ofport = (await bridge.port(gateway.device))?.ofport ?? -1
  if (ofport > 0) await firewall.addHostPort({ device: gateway.device, ofport, vlan: gateway.vlan, mac })
  if (!isUp || !isConnected) {
    if (datapath === 'netdev') turnOffTxChecksum(gateway.device, bridge.netnsPath)
    await outside.setUp(index)
  }
  const here = isConnected ? present.filter((one) => one.index === index).map(({ text }) => text) : []
  for (const address of gateway.addresses) {
    if (!here.includes(addressText(address))) await outside.addAddress(index, address)
  }
  for (const text of here) if (!wanted.includes(text) && !isLinkLocal(text)) await outside.removeAddress(index, text)
}

/** The host no longer answers for the gateway's addresses; a missing one counts as removed. */
export async function removeGateway({ bridge, firewall }: OvsDetails, device: string): Promise<void> {
  await bridge.remove(device)
  await firewall.removeDevice(device)
}

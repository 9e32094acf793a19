/** The host's own address in a guests' network: a device that the network's switch has a port for; where subnets overlap, in a namespace of its own. */
import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Conflict, Unavailable } from '../core/errors.ts'
import { addressText, RtNetlink, type Link } from './rtnetlink.ts'

/** The device by which the host answers for a network's gateway. */
export interface Gateway {
  /** interface name, 15 characters at most */
  readonly device: string
  readonly vlan: number | null
  readonly vni?: number | null
  readonly mtu: number
  readonly addresses: readonly { readonly address: string; readonly prefixLength: number }[]
  /** of the namespace that the device stands in; none = that of the switch */
  readonly netnsPath?: string
}

/** How a kind of switch has the gateway's device on it. */
export interface GatewayPort {
  /** whose mark its devices bear */
  readonly owner: string
  /** where the device stands unless told; null = the host's own namespace */
  readonly netnsPath: string | null
  /** Whether the port is as it is to be, and the device in its place. */
  isConnected(gateway: Gateway): Promise<boolean>
  /** The device is made anew, with this MAC address and its MTU. */
  connect(gateway: Gateway, mac: string): Promise<void>
  /** Frames pass. */
  open(gateway: Gateway, mac: string): Promise<void>
  /** A missing one counts as removed. */
  disconnect(device: string): Promise<void>
}

const appearMs = 5000

async function appeared(outside: RtNetlink, device: string): Promise<Link> {
  const deadline = performance.now() + appearMs
  while (performance.now() < deadline) {
    const link = await outside.link(device)
    if (link) return link
    await sleep(5)
  }
  throw new Unavailable(`the switch made no device ${device} within ${appearMs / 1000} s`)
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

/**
 * The host answers for these addresses when this returns. Twice is as once.
 *
 * @throws Conflict when another device beside it holds one of them
 */
export async function ensureGateway(port: GatewayPort, gateway: Gateway): Promise<void> {
  const { device, mtu, netnsPath = port.netnsPath } = gateway
  const mac = gatewayMac(port.owner, device)
  using there = new RtNetlink(netnsPath)
  const [link, present] = [await there.link(device), await there.addresses()]
  refuseTaken(
    gateway,
    present.filter(({ index }) => index !== link?.index),
  )
  const isConnected = link?.mac === mac && link.mtu === mtu && (await port.isConnected(gateway))
  if (!isConnected) await port.connect(gateway, mac)
  const made = await appeared(there, device)
  await port.open(gateway, mac)
  await furnish(there, made, gateway)
}

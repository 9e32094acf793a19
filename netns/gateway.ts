/** The host's own address in a guests' network: an internal port of the bridge, tagged with the network's VLAN. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Conflict, Unavailable } from '../core/errors.ts'
import type { Bridge, Datapath } from './bridge.ts'
import { turnOffTxChecksum } from './ethtool.ts'
import { RtNetlink, type Link } from './rtnetlink.ts'

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

/**
 * The host answers for these addresses when this returns. Twice is as once.
 *
 * @throws Conflict when another device of the host holds one of them
 */
export async function ensureGateway(bridge: Bridge, datapath: Datapath, gateway: Gateway): Promise<void> {
  using outside = new RtNetlink(null)
  const wanted = gateway.addresses.map(({ address, prefixLength }) => `${address}/${prefixLength}`)
  const [link, present] = [await outside.link(gateway.device), await outside.addresses()]
  const taken = present.find(
    ({ index, text }) => index !== link?.index && wanted.some((one) => one.split('/')[0] === text.split('/')[0]),
  )
  if (taken) throw new Conflict(`${taken.text} is on another device of this host already`)
  const port = await bridge.port(gateway.device)
  const isWhole = link?.isUp === true && port?.vlan === gateway.vlan && (port.ofport ?? -1) > 0
  if (
    isWhole &&
    link.mtu === gateway.mtu &&
    wanted.every((one) => present.some(({ index, text }) => index === link.index && text === one))
  )
    return
  if (!isWhole) {
    await bridge.remove(gateway.device)
    await bridge.add({
      device: gateway.device,
      vlan: gateway.vlan,
      type: 'internal',
      externalIds: { 'berth-role': 'gateway' },
    })
  }
  const { index } = await appeared(outside, gateway.device)
  if (datapath === 'netdev') turnOffTxChecksum(gateway.device, null)
  await outside.setMtu(index, gateway.mtu)
  await outside.setUp(index)
  for (const address of gateway.addresses) await outside.addAddress(index, address)
}

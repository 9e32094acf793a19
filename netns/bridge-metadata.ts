/**
 * The metadata service at the bridges of a host: one namespace without a name, with a device on every bridge. Callers come under
 * addresses that tell their ports; the way back to each is a route. It ends with its process.
 */
import { closeSync, readlinkSync } from 'node:fs'
import { execa } from 'execa'
import { Unavailable } from '../core/errors.ts'
import { callerAddress, metadataAddress } from './flows/metadata.ts'
import type { LinuxBridges } from './linux-bridges.ts'
import { openSockets, type MetadataSockets } from './metadata.ts'
import { openUnnamed } from './namespace.ts'
import type { Guard } from './nft/guard.ts'
import { serviceMac } from './nft/tables.ts'
import { RtNetlink } from './rtnetlink.ts'

const mtu = 1500
const timeoutMs = 10_000
/** No device has this MAC address: the bridge's rules put the caller's in its place. */
const nobodysMac = '02:00:00:00:ff:fe'

export class MetadataHome {
  readonly #namespace = openUnnamed()
  readonly sockets: MetadataSockets
  /** the next hop on each bridge */
  readonly #hops = new Map<string, string>()
  /** the next hop of each port's way back */
  readonly #led = new Map<number, string>()

  constructor() {
    try {
      this.sockets = openSockets(this.#path)
    } catch (error) {
      closeSync(this.#namespace)
      throw error
    }
  }

  get #path(): string {
    return `/proc/${readlinkSync('/proc/self')}/fd/${this.#namespace}`
  }

  /** Guests of this bridge reach the service. */
  async join(bridges: LinuxBridges, bridge: string, guard: Guard): Promise<void> {
    const device = bridges.companion('m', bridge)
    await guard.addDevice(device, 'answers')
    await bridges.inTurn(device, async () => {
      using outside = new RtNetlink(bridges.netnsPath)
      using inside = new RtNetlink(this.#path)
      const [near, far] = [await outside.link(device), await inside.link(device)]
      if (near && far?.peerIndex === near.index) return
      await outside.deleteLink(device)
      await outside.createVeth({ host: device, guest: device, guestMac: serviceMac, mtu }, this.#namespace)
      await outside.setAlias(device, `${bridges.owner} companion`)
      await this.#furnish(inside, device, bridge)
      for (const [number, gateway] of this.#led) if (gateway === this.#hops.get(bridge)) this.#led.delete(number)
    })
    await bridges.attach(device, bridge)
  }

  /** What the service answers to the caller of this number leaves by the device of its bridge. */
  async leadBack(
    { device, bridge }: { readonly device: string; readonly bridge: string },
    number: number,
  ): Promise<void> {
    const gateway = this.#hops.get(bridge)
    if (gateway === undefined || this.#led.get(number) === gateway) return
    using inside = new RtNetlink(this.#path)
    const link = await inside.link(device)
    if (!link) return
    await inside.addLinkRoute(link.index, { destination: `${callerAddress(number)}/32`, gateway })
    this.#led.set(number, gateway)
  }

  close(): void {
    closeSync(this.#namespace)
  }

  async #furnish(inside: RtNetlink, device: string, bridge: string): Promise<void> {
    const link = await inside.link(device)
    if (!link) throw new Unavailable(`${device} was not made`)
    const hop = this.#hopOf(bridge)
    await inside.loopbackUp()
    await inside.addAddress(link.index, { address: metadataAddress, prefixLength: 32 })
    await inside.setUp(link.index)
    await inside.addLinkRoute(link.index, { destination: `${hop}/32` })
    const neighbour = ['neighbour', 'replace', hop, 'lladdr', nobodysMac, 'nud', 'permanent', 'dev', device]
    await execa('nsenter', [`--net=${this.#path}`, 'ip', ...neighbour], { timeout: timeoutMs })
  }

  #hopOf(bridge: string): string {
    const count = this.#hops.size + 1
    const hop = this.#hops.get(bridge) ?? `100.64.${count >> 8}.${count & 255}`
    this.#hops.set(bridge, hop)
    return hop
  }
}

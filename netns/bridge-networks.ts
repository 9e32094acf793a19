/** What stands on the bridge of a network beside its guests: the uplink, the tunnel, the metadata service. */
import { messageOf, Unavailable } from '../core/errors.ts'
import type { MetadataHome } from './bridge-metadata.ts'
import type { Segment } from '../core/network.ts'
import type { LinuxBridges } from './linux-bridges.ts'
import type { Guard, Role } from './nft/guard.ts'
import { RtNetlink, type Link } from './rtnetlink.ts'
import { ensureTunnel, type Tunnels } from './tunnel.ts'

export class BridgeNetworks {
  readonly bridges: LinuxBridges
  readonly #guard: Guard
  #uplink: string | null = null
  #role: Role = 'foreign'
  #tunnels: Tunnels | null = null
  #metadata: MetadataHome | null = null

  constructor(bridges: LinuxBridges, guard: Guard) {
    this.bridges = bridges
    this.#guard = guard
  }

  /** The bridge of the network stands, with all that belongs on it. */
  async join(segment: Segment): Promise<void> {
    const name = this.bridges.nameOf(segment)
    await Promise.all([this.#guard.addBridge(name), this.bridges.inTurn(name, () => this.bridges.ensure(name))])
    if (segment.vni !== undefined && segment.vni !== null) await this.#joinTunnel(name, segment.vni)
    else if (this.#uplink !== null) await this.#joinUplink(name, segment.vlan, this.#uplink)
    await this.#metadata?.join(this.bridges, name, this.#guard)
  }

  /** Frames of networks that are in no tunnel leave and come by this device. */
  async setUplink(device: string): Promise<void> {
    this.#uplink = device
    for (const segment of await this.#segments()) await this.join(segment)
  }

  /** Whether frames of the network leave and come by this device. */
  isUplink(device: string, segment: Segment): boolean {
    const bridge = this.bridges.nameOf(segment)
    return device === (segment.vlan === null ? this.#uplink : this.bridges.companion('u', bridge))
  }

  /** @param isTrusted whether another host answers for the gateways */
  async setTrust(isTrusted: boolean): Promise<void> {
    const role = isTrusted ? 'host' : 'foreign'
    if (this.#role === role) return
    this.#role = role
    for (const segment of await this.#segments()) await this.join(segment)
  }

  /** Frames of networks that are in tunnels go to these hosts. */
  async setTunnels(tunnels: Tunnels | null): Promise<void> {
    this.#tunnels = tunnels
    for (const segment of await this.#segments()) if (segment.vni) await this.join(segment)
  }

  /** Guests reach the metadata service there; null = nowhere. */
  async setMetadata(home: MetadataHome | null): Promise<void> {
    this.#metadata = home
    if (home) for (const segment of await this.#segments()) await this.join(segment)
  }

  /** What the metadata service answers to this port finds its way. */
  async leadBack(segment: Segment, number: number): Promise<void> {
    const bridge = this.bridges.nameOf(segment)
    await this.#metadata?.leadBack({ device: this.bridges.companion('m', bridge), bridge }, number)
  }

  /** Bridges without a guest or a gateway go. */
  async sweep(): Promise<void> {
    for (const { bridge, ports } of await this.bridges.list()) {
      if (ports.some((port) => !this.#isCompanion(port))) continue
      if (await this.bridges.removeIfIdle(bridge.name, (port) => this.#isCompanion(port)))
        await this.#guard.removeBridge(bridge.name)
    }
  }

  #isCompanion({ name, alias }: Link): boolean {
    return name === this.#uplink || alias === `${this.bridges.owner} companion`
  }

  async #segments(): Promise<readonly Segment[]> {
    return (await this.bridges.list()).flatMap(({ bridge }) => this.bridges.segmentOf(bridge.name) ?? [])
  }

  async #joinTunnel(name: string, vni: number): Promise<void> {
    const tunnels = this.#tunnels
    if (tunnels === null) return
    const device = this.bridges.companion('t', name)
    await this.bridges.inTurn(device, () => ensureTunnel(this.bridges, { device, vni }, tunnels))
    await this.#guard.addDevice(device, this.#role)
    await this.bridges.attach(device, name)
  }

  /** @throws Unavailable where the kernel has no 802.1Q */
  async #joinUplink(name: string, vlan: number | null, uplink: string): Promise<void> {
    const device = vlan === null ? uplink : this.bridges.companion('u', name)
    await this.bridges.inTurn(device, () => this.#ensureUplink(device, vlan, uplink))
    await this.#guard.addDevice(device, this.#role)
    await this.bridges.attach(device, name)
  }

  async #ensureUplink(device: string, vlan: number | null, uplink: string): Promise<void> {
    using here = new RtNetlink(this.bridges.netnsPath)
    if (await here.link(device)) return
    if (vlan === null) throw new Unavailable(`uplink ${uplink}: there is no such device`)
    try {
      await this.bridges.batch('ip', [
        `link add link ${uplink} name ${device} type vlan id ${vlan}`,
        `link set ${device} alias "${this.bridges.owner} companion"`,
      ])
    } catch (error) {
      if (!/not supported|Unknown device type/.test(messageOf(error))) throw error
      const remedy = 'modprobe 8021q, or vifType: ovs'
      throw new Unavailable(
        `uplink ${uplink}: this kernel has no 802.1Q, which VLAN ${vlan} needs; remedy: ${remedy}`,
        {
          cause: error,
        },
      )
    }
  }
}

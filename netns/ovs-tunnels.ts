/** Tunnels of the networks on an Open vSwitch bridge: VXLAN devices of the kernel as its ports, whatever the datapath. */
import type { Bridge, Datapath } from './bridge.ts'
import { tunnelTag } from './bridge-rows.ts'
import { turnOffGro } from './ethtool.ts'
import type { Firewall } from './flows/firewall.ts'
import { LinuxBridges } from './linux-bridges.ts'
import { RtNetlink } from './rtnetlink.ts'
import { ensureTunnel, type Tunnels } from './tunnel.ts'

const tunnelRole = 'tunnel'

export class OvsTunnels {
  readonly #bridge: Bridge
  readonly #datapath: Datapath
  readonly #firewall: Firewall
  /** for the names of devices, and a way to make them */
  readonly #linux: LinuxBridges
  #tunnels: Tunnels | null = null
  #isTrusted = false

  constructor({ bridge, datapath, firewall }: { bridge: Bridge; datapath: Datapath; firewall: Firewall }) {
    this.#bridge = bridge
    this.#datapath = datapath
    this.#firewall = firewall
    this.#linux = new LinuxBridges(bridge.owner, bridge.netnsPath)
  }

  async set(tunnels: Tunnels | null): Promise<void> {
    this.#tunnels = tunnels
    for (const vni of this.#firewall.overlays()) await this.ensure(vni)
  }

  /** @param isTrusted whether another host answers for the gateways */
  async trust(isTrusted: boolean): Promise<void> {
    this.#isTrusted = isTrusted
    for (const vni of this.#firewall.overlays()) await this.ensure(vni)
  }

  /** Frames of the network pass between this host and the others. */
  async ensure(vni: number | null | undefined): Promise<void> {
    const tunnels = this.#tunnels
    if (vni === null || vni === undefined || tunnels === null) return
    const device = this.#deviceOf(vni)
    await this.#linux.inTurn(device, async () => {
      await ensureTunnel(this.#linux, { device, vni }, tunnels)
      if (this.#datapath === 'netdev') turnOffGro(device, this.#bridge.netnsPath)
      const found = await this.#bridge.port(device)
      if ((found?.ofport ?? -1) < 1) {
        await this.#bridge.remove(device)
        await this.#bridge.add({ device, vlan: tunnelTag, externalIds: { 'berth-role': tunnelRole } })
      }
      const ofport = (await this.#bridge.port(device))?.ofport ?? -1
      if (ofport > 0) await this.#firewall.setTunnel(vni, { ofport, isTrusted: this.#isTrusted })
    })
  }

  /** Tunnels of networks that nothing here is on go. */
  async sweep(): Promise<void> {
    const wanted = new Set([...this.#firewall.overlays()].map((vni) => this.#deviceOf(vni)))
    for (const { device, externalIds } of await this.#bridge.ports()) {
      if (externalIds['berth-role'] !== tunnelRole || wanted.has(device)) continue
      await this.#bridge.remove(device)
      using here = new RtNetlink(this.#bridge.netnsPath)
      await here.deleteLink(device)
      const vni = Number.parseInt(device.slice(device.lastIndexOf('-') + 2), 36)
      await this.#firewall.setTunnel(vni, null)
    }
  }

  #deviceOf(vni: number): string {
    return this.#linux.companion('t', this.#linux.nameOf({ vlan: null, vni }))
  }
}

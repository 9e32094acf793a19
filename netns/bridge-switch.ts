/** Linux bridges as the switch of a host: one for each network, and the rules of nftables at their ports. */
import { Unavailable } from '../core/errors.ts'
import type { Policy, Vif } from '../core/network.ts'
import { bridgeGateways, gatewaysIn } from './bridge-gateway.ts'
import { MetadataHome } from './bridge-metadata.ts'
import { BridgeNetworks } from './bridge-networks.ts'
import { callerPort } from './flows/metadata.ts'
import { ensureGateway, type Gateway } from './gateway.ts'
import { LinuxBridges } from './linux-bridges.ts'
import { Guard } from './nft/guard.ts'
import { RuleTable } from './nft/rule-table.ts'
import { RtNetlink } from './rtnetlink.ts'
import type { Tunnels } from './tunnel.ts'
import type { MetadataSockets } from './metadata.ts'
import type { PluggedPort, Switch } from './switch.ts'
import { bridge, hold, type BridgeDetails } from './vifs/bridge.ts'
import { markedEnds, type MarkedEnd } from './vifs/pair.ts'

export class BridgeSwitch implements Switch {
  readonly #details: BridgeDetails
  #metadata: MetadataHome | null = null

  constructor(details: BridgeDetails) {
    this.#details = details
  }

  get netnsPath(): string | null {
    return this.#details.networks.bridges.netnsPath
  }

  async plug(vif: Vif, netnsPath: string): Promise<void> {
    await bridge.plug(vif, this.#details, netnsPath)
  }

  async unplug(portId: string): Promise<void> {
    await bridge.unplug(portId, this.#details)
  }

  async isPlugged(vif: Vif, netnsPath: string): Promise<boolean> {
    return await bridge.isPlugged(vif, this.#details, netnsPath)
  }

  async list(): Promise<readonly PluggedPort[]> {
    const { bridges } = this.#details.networks
    const [ends, known] = [await markedEnds(bridges), await bridges.list()]
    return ends.map((end) => {
      const name = known.find((one) => one.bridge.index === end.link.master)?.bridge.name
      return toPluggedPort(end, name === undefined ? null : (bridges.segmentOf(name)?.vlan ?? null), name !== undefined)
    })
  }

  async setPolicy(policy: Policy): Promise<void> {
    await this.#details.guard.setPolicy(policy)
  }

  async holder(): Promise<(vif: Vif) => Promise<void>> {
    const { guard, networks } = this.#details
    const here = new Set((await markedEnds(networks.bridges)).map(({ portId }) => portId))
    return async (vif) => {
      if (!here.has(vif.portId)) return
      if (guard.isGuarded(vif, networks.bridges.nameOf(vif))) {
        await networks.leadBack(vif, guard.numberOf(vif.portId))
        return
      }
      await hold(vif, this.#details)
    }
  }

  async ensureUplink(device: string): Promise<void> {
    using here = new RtNetlink(this.netnsPath)
    const link = await here.link(device)
    if (!link) throw new Unavailable(`uplink ${device}: there is no such device`)
    if (!link.isUp) await here.setUp(link.index)
    await this.#details.networks.setUplink(device)
  }

  async setTunnels(tunnels: Tunnels | null): Promise<void> {
    await this.#details.networks.setTunnels(tunnels)
  }

  async openTrunks(isTrusted: boolean): Promise<void> {
    await this.#details.networks.setTrust(isTrusted)
  }

  /** Linux bridges and nftables follow no packet that is not there. */
  trace(): Promise<null> {
    return Promise.resolve(null)
  }

  traceArrival(): Promise<null> {
    return Promise.resolve(null)
  }

  async settle(): Promise<void> {
    await this.#details.guard.settle()
    await this.#details.networks.sweep()
  }

  async ensureGateway(gateway: Gateway): Promise<void> {
    await ensureGateway(bridgeGateways(this.#details.networks, this.#details.guard), gateway)
  }

  async removeGateway(device: string): Promise<void> {
    await bridgeGateways(this.#details.networks, this.#details.guard).disconnect(device)
  }

  async listGateways(): Promise<readonly string[]> {
    return await gatewaysIn(this.#details.networks.bridges.owner, this.netnsPath)
  }

  async confirm(): Promise<void> {
    await this.#details.networks.bridges.list()
  }

  async listenForMetadata(): Promise<MetadataSockets> {
    this.#metadata = new MetadataHome()
    await this.#details.networks.setMetadata(this.#metadata)
    return this.#metadata.sockets
  }

  callerAt(address: string): string | null {
    const number = callerPort(address)
    return number === null ? null : this.#details.guard.portNumbered(number)
  }

  async closeMetadata(): Promise<void> {
    await this.#details.networks.setMetadata(null)
    this.#metadata?.close()
    this.#metadata = null
  }

  close(): void {
    this.#metadata?.close()
  }
}

function toPluggedPort({ link, portId, serverId, mac }: MarkedEnd, vlan: number | null, isIn: boolean): PluggedPort {
  const error = isIn ? (link.isUp ? null : 'its device is down') : 'on no bridge'
  return { portId, serverId: isIn ? serverId : null, device: link.name, vlan, mac: isIn ? mac : null, error }
}

/** @param netnsPath the namespace that the bridges stand in; null = the host's own */
export function bridgeSwitchOf(
  owner: string,
  netnsPath: string | null,
  settings: { readonly hostReachesGuests: boolean },
): { readonly kind: BridgeSwitch; readonly guard: Guard } {
  const guard = new Guard(new RuleTable(owner, netnsPath), settings)
  const networks = new BridgeNetworks(new LinuxBridges(owner, netnsPath), guard)
  return { kind: new BridgeSwitch({ networks, guard }), guard }
}

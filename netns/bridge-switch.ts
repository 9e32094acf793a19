/** Linux bridges as the switch of a host: one for each network, and the rules of nftables at their ports. */
import { Unavailable } from '../core/errors.ts'
import { hostDevice, type Policy, type Vif } from '../core/network.ts'
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
import { uplinkLink } from './uplink.ts'
import type { MetadataSockets } from './metadata.ts'
import type { PluggedPort, Switch } from './switch.ts'
import type { TracedPacket, TraceVerdict } from './trace.ts'
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
    const link = await uplinkLink(here, device)
    if (!link.isUp) await here.setUp(link.index)
    await this.#details.networks.setUplink(device)
  }

  /** A VLAN of the uplink is a device that goes with its bridge. */
  leaveUplinks(): Promise<void> {
    return Promise.resolve()
  }

  async setTunnels(tunnels: Tunnels | null): Promise<void> {
    await this.#details.networks.setTunnels(tunnels)
  }

  async openTrunks(isTrusted: boolean): Promise<void> {
    await this.#details.networks.setTrust(isTrusted)
  }

  async trace(portId: string, packet: TracedPacket): Promise<TraceVerdict> {
    const ends = await markedEnds(this.#details.networks.bridges)
    const bridge = ends.find((end) => end.portId === portId)?.link.master ?? null
    if (bridge === null) throw new Unavailable(`port ${portId} is not plugged on this host`)
    return await this.#follow(hostDevice(portId), { ends, bridge }, packet)
  }

  async traceArrival(packet: TracedPacket, vlan: number | null): Promise<TraceVerdict> {
    const { networks } = this.#details
    const [ends, known] = [await markedEnds(networks.bridges), await networks.bridges.list()]
    const found = known.find(({ bridge }) => bridge.name === networks.bridges.nameOf({ vlan }))
    const trunk = found?.ports.find(({ name }) => networks.isUplink(name, { vlan }))
    if (!found || !trunk) throw new Unavailable('no trunk leads from other hosts to this one')
    return await this.#follow(trunk.name, { ends, bridge: found.bridge.index }, packet)
  }

  /** To the guest on the same bridge that has the MAC address, or away from this host. */
  async #follow(
    from: string,
    { ends, bridge }: { readonly ends: readonly MarkedEnd[]; readonly bridge: number },
    packet: TracedPacket,
  ): Promise<TraceVerdict> {
    const to = ends.find(({ link, mac }) => link.master === bridge && mac === packet.to.mac)
    return await this.#details.guard.trace({ from, to: to?.link.name ?? null }, packet)
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
    this.#details.guard.close()
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

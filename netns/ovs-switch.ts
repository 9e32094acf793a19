/** Open vSwitch as the switch of a host: an integration bridge, and the flows at its ports. */
import { dirname, join } from 'node:path'
import { Unavailable } from '../core/errors.ts'
import { hostDevice, type Policy, type Vif } from '../core/network.ts'
import type { BridgePort } from './bridge.ts'
import { tunnelTag } from './bridge-rows.ts'
import { FlowTable } from './flows/flow-table.ts'
import { Firewall } from './flows/firewall.ts'
import { callerPort } from './flows/metadata.ts'
import { ensureGateway, type Gateway } from './gateway.ts'
import { openMetadata, type MetadataSite, type MetadataSockets } from './metadata.ts'
import { ovsGateways } from './ovs-gateway.ts'
import { OvsTunnels } from './ovs-tunnels.ts'
import type { PluggedPort, Switch } from './switch.ts'
import { trace, type TracedPacket, type TraceVerdict } from './trace.ts'
import type { Tunnels } from './tunnel.ts'
import { ensureUplink, leaveUplinks, trunkRole } from './uplink.ts'
import { markedEnds } from './vifs/pair.ts'
import { hold, ovs, type OvsDetails } from './vifs/ovs.ts'

export class OvsSwitch implements Switch {
  readonly #details: OvsDetails
  readonly #tunnels: OvsTunnels
  #metadata: MetadataSite | null = null

  constructor(details: OvsDetails) {
    this.#details = details
    this.#tunnels = new OvsTunnels(details)
  }

  get netnsPath(): string | null {
    return this.#details.bridge.netnsPath
  }

  async plug(vif: Vif, netnsPath: string): Promise<void> {
    await Promise.all([ovs.plug(vif, this.#details, netnsPath), this.#tunnels.ensure(vif.vni)])
  }

  async unplug(portId: string): Promise<void> {
    await ovs.unplug(portId, this.#details)
  }

  async isPlugged(vif: Vif, netnsPath: string): Promise<boolean> {
    return await ovs.isPlugged(vif, this.#details, netnsPath)
  }

  async list(): Promise<readonly PluggedPort[]> {
    const [ports, ends] = await Promise.all([this.#details.bridge.ports(), markedEnds(this.#details.bridge)])
    const devices = ends.map(({ portId }) => portId)
    const inSwitch = ports.flatMap((port) => toPluggedPort(port, devices))
    const known = new Set(inSwitch.map(({ portId }) => portId))
    return [...inSwitch, ...devices.filter((portId) => !known.has(portId)).map(strayPort)]
  }

  async setPolicy(policy: Policy): Promise<void> {
    await this.#details.firewall.setPolicy(policy)
  }

  async holder(): Promise<(vif: Vif, netnsPathOf: () => string | null) => Promise<void>> {
    const numbers = await this.#details.bridge.numbers()
    return async (vif, netnsPathOf) => {
      const ofport = numbers.get(hostDevice(vif.portId)) ?? -1
      if (ofport < 1 || this.#details.firewall.isGuarded(vif, ofport)) return
      // Unplugged since the ports were listed: nobody would take its flows away again.
      if ((await this.#details.bridge.port(hostDevice(vif.portId)))?.ofport !== ofport) return
      await hold(vif, this.#details, { ofport, netnsPath: netnsPathOf() })
    }
  }

  async ensureUplink(device: string): Promise<void> {
    await ensureUplink(this.#details, device)
  }

  async leaveUplinks(but: string | null): Promise<void> {
    for (const device of await leaveUplinks(this.#details.bridge, but))
      await this.#details.firewall.removeDevice(device)
  }

  async setTunnels(tunnels: Tunnels | null): Promise<void> {
    await this.#tunnels.set(tunnels)
  }

  async openTrunks(isTrusted: boolean): Promise<void> {
    for (const { device, ofport, externalIds } of await this.#details.bridge.ports())
      if (externalIds['berth-role'] === trunkRole && (ofport ?? -1) > 0)
        await this.#details.firewall.addTrunk(device, ofport ?? -1, isTrusted)
    await this.#tunnels.trust(isTrusted)
  }

  async trace(portId: string, packet: TracedPacket): Promise<TraceVerdict> {
    const ofport = (await this.#details.bridge.port(hostDevice(portId)))?.ofport ?? -1
    if (ofport < 1) throw new Unavailable(`port ${portId} is not plugged on this host`)
    return await trace(this.#details.bridge, { ofport, tag: null }, packet)
  }

  async traceArrival(packet: TracedPacket, vlan: number | null): Promise<TraceVerdict> {
    const ports = await this.#details.bridge.ports()
    const trunk = ports.find(({ ofport, externalIds }) => externalIds['berth-role'] === trunkRole && (ofport ?? -1) > 0)
    if (!trunk) throw new Unavailable('no trunk leads from other hosts to this one')
    return await trace(this.#details.bridge, { ofport: trunk.ofport ?? -1, tag: vlan }, packet)
  }

  async settle(): Promise<void> {
    await this.#details.firewall.settle()
    await this.#tunnels.sweep()
  }

  async ensureGateway(gateway: Gateway): Promise<void> {
    await ensureGateway(ovsGateways(this.#details), gateway)
    await this.#tunnels.ensure(gateway.vni)
  }

  async removeGateway(device: string): Promise<void> {
    await ovsGateways(this.#details).disconnect(device)
  }

  async listGateways(): Promise<readonly string[]> {
    return (await this.#details.bridge.ports())
      .filter(({ externalIds }) => externalIds['berth-role'] === 'gateway')
      .map(({ device }) => device)
  }

  async confirm(): Promise<void> {
    await this.#details.bridge.confirm()
  }

  async listenForMetadata(device: string): Promise<MetadataSockets> {
    this.#metadata = await openMetadata(this.#details.bridge, this.#details.datapath, device)
    await this.#details.firewall.setMetadata(this.#metadata.place)
    return this.#metadata.sockets
  }

  callerAt(address: string): string | null {
    const ofport = callerPort(address)
    return ofport === null ? null : this.#details.firewall.portNumbered(ofport)
  }

  async closeMetadata(): Promise<void> {
    await this.#metadata?.close()
    this.#metadata = null
  }

  close(): void {
    this.#details.firewall.close()
    this.#details.bridge.close()
  }
}

function toPluggedPort(
  { device, vlan, externalIds, error }: BridgePort,
  devices: readonly string[],
): readonly PluggedPort[] {
  const portId = externalIds['iface-id']
  if (portId === undefined || hostDevice(portId) !== device) return []
  const [serverId, mac] = [externalIds['vm-uuid'] ?? null, externalIds['attached-mac'] ?? null]
  return [
    {
      portId,
      serverId,
      device,
      vlan: vlan === tunnelTag ? null : vlan,
      mac,
      error: error ?? (devices.includes(portId) ? null : 'no device'),
    },
  ]
}

function strayPort(portId: string): PluggedPort {
  return { portId, serverId: null, device: hostDevice(portId), vlan: null, mac: null, error: 'not in the switch' }
}

/** Not open: it changes nothing by itself. ovs-vswitchd has its sockets beside the database's. */
export function firewallOf(
  ovsSocket: string,
  bridge: string,
  settings: { readonly hostReachesGuests: boolean },
): Firewall {
  return new Firewall(new FlowTable(join(dirname(ovsSocket), `${bridge}.mgmt`)), settings)
}

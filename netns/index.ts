/** The wires of one host: what the agent asks of the kernel and of Open vSwitch. */
import { hostDevice, type Vif } from '../core/network.ts'
import { Bridge, type Datapath } from './bridge.ts'
import { ensureGateway, type Gateway } from './gateway.ts'
import {
  ensureNamespace,
  listNamespaces,
  removeNamespace,
  type Namespace,
  type NamespaceSettings,
} from './namespace.ts'
import { RtNetlink } from './rtnetlink.ts'
import { ovs } from './vifs/ovs.ts'

export type { Gateway } from './gateway.ts'
export type { Namespace } from './namespace.ts'

export interface WireSettings {
  /** path of ovsdb-server's socket */
  readonly ovsSocket: string
  readonly bridge: string
  readonly datapath: Datapath
  /** the mark on our rows in Open vSwitch */
  readonly owner: string
  readonly namespaces: NamespaceSettings
}

/** A port of ours that stands on this host, whole or not. */
export interface PluggedPort {
  readonly portId: string
  readonly serverId: string
  readonly device: string
  readonly vlan: number | null
  readonly mac: string
  readonly error: string | null
}

export class Wires {
  readonly #bridge: Bridge
  readonly #datapath: Datapath
  readonly #namespaces: NamespaceSettings
  #gatewayTurn: Promise<unknown> = Promise.resolve()

  constructor(bridge: Bridge, datapath: Datapath, namespaces: NamespaceSettings) {
    this.#bridge = bridge
    this.#datapath = datapath
    this.#namespaces = namespaces
  }

  get #details(): { readonly bridge: Bridge; readonly datapath: Datapath } {
    return { bridge: this.#bridge, datapath: this.#datapath }
  }

  async ensureNamespace(serverId: string): Promise<Namespace> {
    return await ensureNamespace(this.#namespaces, serverId)
  }

  removeNamespace(serverId: string): Promise<void> {
    removeNamespace(this.#namespaces, serverId)
    return Promise.resolve()
  }

  /** Ids of the servers that have a namespace here. */
  listNamespaces(): readonly string[] {
    return listNamespaces(this.#namespaces)
  }

  /** Frames pass when this returns. */
  async plug(vif: Vif, { netnsPath }: Namespace): Promise<void> {
    await ovs.plug(vif, this.#details, netnsPath)
  }

  async unplug(portId: string): Promise<void> {
    await ovs.unplug(portId, this.#details)
  }

  async isPlugged(vif: Vif, { netnsPath }: Namespace): Promise<boolean> {
    return await ovs.isPlugged(vif, this.#details, netnsPath)
  }

  /** Ports of guests that the switch has under our mark. */
  async list(): Promise<readonly PluggedPort[]> {
    const ports = await this.#bridge.ports()
    return ports.flatMap(({ device, vlan, externalIds, error }) => {
      const portId = externalIds['iface-id']
      if (portId === undefined || hostDevice(portId) !== device) return []
      return [
        { portId, serverId: externalIds['vm-uuid'] ?? '', device, vlan, mac: externalIds['attached-mac'] ?? '', error },
      ]
    })
  }

  /** Gateways one after the other: two at once would both find the device missing. */
  async ensureGateway(gateway: Gateway): Promise<void> {
    const mine = this.#gatewayTurn.then(
      () => ensureGateway(this.#bridge, this.#datapath, gateway),
      () => ensureGateway(this.#bridge, this.#datapath, gateway),
    )
    this.#gatewayTurn = mine
    await mine
  }

  async removeGateway(device: string): Promise<void> {
    await this.#bridge.remove(device)
  }

  /** Devices of the gateways that stand here. */
  async listGateways(): Promise<readonly string[]> {
    return (await this.#bridge.ports())
      .filter(({ externalIds }) => externalIds['berth-role'] === 'gateway')
      .map(({ device }) => device)
  }

  close(): void {
    this.#bridge.close()
  }
}

/** Opens the bridge, made when it is not there. */
export async function openWires({
  ovsSocket,
  bridge: name,
  datapath,
  owner,
  namespaces,
}: WireSettings): Promise<Wires> {
  const bridge = new Bridge(ovsSocket, name, owner)
  await bridge.ensure(datapath)
  using outside = new RtNetlink(null)
  await outside.loopbackUp()
  return new Wires(bridge, await bridge.datapath(), namespaces)
}

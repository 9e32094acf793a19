/** The wires of one host: what the agent asks of the kernel and of Open vSwitch. */
import { dirname, join } from 'node:path'
import { Unavailable } from '../core/errors.ts'
import { hostDevice, type Policy, type Vif, type VifAddress } from '../core/network.ts'
import { Bridge, type BridgePort, type Datapath } from './bridge.ts'
import { countersOf, type VifCounters } from './counters.ts'
import { Firewall } from './flows/firewall.ts'
import { FlowTable } from './flows/flow-table.ts'
import { ensureGateway, removeGateway, type Gateway } from './gateway.ts'
import {
  ensureNamespace,
  findNamespace,
  listNamespaces,
  removeNamespace,
  type Namespace,
  type NamespaceSettings,
} from './namespace.ts'
import { callerPort } from './flows/metadata.ts'
import { openMetadata, type MetadataSite } from './metadata.ts'
import { addressText, RtNetlink } from './rtnetlink.ts'
import { Spares, usualSpares } from './spare.ts'
import { trace, type TracedPacket, type TraceVerdict } from './trace.ts'
import { ensureUplink, trunkRole } from './uplink.ts'
import { devicesOf, hold, ovs, type OvsDetails } from './vifs/ovs.ts'

export type { VifCounters } from './counters.ts'
export type { TracedPacket, TraceVerdict } from './trace.ts'
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
  /** whether the host's own address in a subnet may open connections to guests whatever their groups say; unless told, yes */
  readonly hostReachesGuests?: boolean
  /** the namespace in which the switch stands; null = the host's own */
  readonly switchNamespace?: string | null
}

/** A port of ours that stands on this host, whole or not. */
export interface PluggedPort {
  readonly portId: string
  /** null, as the MAC, of a device that is in no switch */
  readonly serverId: string | null
  readonly device: string
  readonly vlan: number | null
  readonly mac: string | null
  /** why no frame passes, or null */
  readonly error: string | null
}

export class Wires {
  readonly #bridge: Bridge
  readonly #firewall: Firewall
  readonly #details: OvsDetails
  readonly #namespaces: NamespaceSettings
  readonly #spares: Spares
  #metadata: MetadataSite | null = null
  readonly #turns = new Map<string, Promise<unknown>>()

  /** @param spares namespaces that stand ready; 0 for one who only looks */
  constructor(
    details: OvsDetails,
    namespaces: NamespaceSettings,
    { spares = usualSpares }: { readonly spares?: number } = {},
  ) {
    this.#bridge = details.bridge
    this.#firewall = details.firewall
    this.#details = details
    this.#namespaces = namespaces
    this.#spares = new Spares(namespaces, spares)
  }

  async ensureNamespace(serverId: string): Promise<Namespace> {
    const found = findNamespace(this.#namespaces, serverId)
    if (found) return found
    this.#spares.take(serverId)
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
    await this.#inTurn(vif.portId, () => ovs.plug(vif, this.#details, netnsPath))
  }

  async unplug(portId: string): Promise<void> {
    await this.#inTurn(portId, () => ovs.unplug(portId, this.#details))
  }

  /** Addresses that a guest is to have no more leave its device; all else on it stays. */
  async takeAddresses(
    { portId, device }: Vif,
    addresses: readonly Pick<VifAddress, 'address' | 'prefixLength'>[],
    { netnsPath }: Namespace,
  ): Promise<void> {
    await this.#inTurn(portId, async () => {
      using inside = new RtNetlink(netnsPath)
      const link = await inside.link(device)
      if (!link) return
      for (const address of addresses) await inside.removeAddress(link.index, addressText(address))
    })
  }

  async isPlugged(vif: Vif, { netnsPath }: Namespace): Promise<boolean> {
    return await ovs.isPlugged(vif, this.#details, netnsPath)
  }

  /** All ports of guests under our mark: in the switch, or only a device that a crash kept out of it. */
  async list(): Promise<readonly PluggedPort[]> {
    const [ports, devices] = await Promise.all([this.#bridge.ports(), devicesOf(this.#bridge)])
    const inSwitch = ports.flatMap((port) => toPluggedPort(port, devices))
    const known = new Set(inSwitch.map(({ portId }) => portId))
    return [...inSwitch, ...devices.filter((portId) => !known.has(portId)).map(strayPort)]
  }

  /** What has passed through a vif since it was plugged; null when it does not stand here. */
  counters(portId: string): Promise<VifCounters | null> {
    return Promise.resolve(countersOf(hostDevice(portId), this.#bridge.netnsPath))
  }

  /**
   * The plugged ones of these vifs, and no others, are held to these groups and to what they may send. A change cuts what it forbids and
   * nothing else. Unless all vifs of the host are given, the rest is left as it is.
   */
  async enforce(policy: Policy, vifs: readonly Vif[]): Promise<void> {
    const ports = new Map((await this.#bridge.ports()).map(({ device, ofport }) => [device, ofport ?? -1]))
    await this.#firewall.setPolicy(policy)
    await Promise.all(
      vifs.map((vif) =>
        this.#inTurn(vif.portId, async () => {
          const ofport = ports.get(hostDevice(vif.portId)) ?? -1
          if (ofport < 1 || this.#firewall.isGuarded(vif, ofport)) return
          const netnsPath = findNamespace(this.#namespaces, vif.serverId)?.netnsPath ?? null
          await hold(vif, this.#details, { ofport, netnsPath })
        }),
      ),
    )
  }

  /** A device of the machine is a trunk of the bridge. @throws Unavailable when there is no such device */
  async ensureUplink(device: string): Promise<void> {
    await this.#inTurn(device, () => ensureUplink(this.#details, device))
  }

  /**
   * Frames pass between this host and others.
   *
   * @param isTrusted whether another host answers for the gateways
   */
  async openTrunks(isTrusted: boolean): Promise<void> {
    for (const { device, ofport, externalIds } of await this.#bridge.ports())
      if (externalIds['berth-role'] === trunkRole && (ofport ?? -1) > 0)
        await this.#firewall.addTrunk(device, ofport ?? -1, isTrusted)
  }

  /**
   * What the switch would do with a packet from a plugged port, without sending one.
   *
   * @throws Unavailable when the port is not plugged here
   */
  async trace(portId: string, packet: TracedPacket): Promise<TraceVerdict> {
    const ofport = (await this.#bridge.port(hostDevice(portId)))?.ofport ?? -1
    if (ofport < 1) throw new Unavailable(`port ${portId} is not plugged on this host`)
    return await trace(this.#bridge, ofport, packet)
  }

  /** Flows that nobody here asked for are gone: to be called when all ports and gateways of the host were seen to. */
  async settle(): Promise<void> {
    await this.#firewall.settle()
  }

  async ensureGateway(gateway: Gateway): Promise<void> {
    await this.#inTurn(gateway.device, () => ensureGateway(this.#details, gateway))
  }

  async removeGateway(device: string): Promise<void> {
    await this.#inTurn(device, () => removeGateway(this.#details, device))
  }

  /** Devices of the gateways that stand here. */
  async listGateways(): Promise<readonly string[]> {
    return (await this.#bridge.ports())
      .filter(({ externalIds }) => externalIds['berth-role'] === 'gateway')
      .map(({ device }) => device)
  }

  /** The switch and its database answer. @throws PartSilent */
  async confirm(): Promise<void> {
    await this.#bridge.confirm()
  }

  /**
   * A listening socket at which all guests reach the metadata service, over their own ports: to be asked for before ports are plugged.
   *
   * @param device name of its end on the host
   */
  async listenForMetadata(device: string): Promise<number> {
    this.#metadata = await openMetadata(this.#bridge, this.#details.datapath, device)
    await this.#firewall.setMetadata(this.#metadata.place)
    return this.#metadata.descriptor
  }

  /** The port whose guest has this address for the metadata service, or null. */
  callerAt(address: string): string | null {
    const ofport = callerPort(address)
    return ofport === null ? null : this.#firewall.portNumbered(ofport)
  }

  async closeMetadata(): Promise<void> {
    await this.#metadata?.close()
    this.#metadata = null
  }

  close(): void {
    this.#spares.close()
    this.#firewall.close()
    this.#bridge.close()
  }

  /** Works on one device come one after the other: two at once would both find it missing. */
  async #inTurn(key: string, work: () => Promise<void>): Promise<void> {
    const mine = (this.#turns.get(key) ?? Promise.resolve()).then(work, work)
    this.#turns.set(key, mine)
    try {
      await mine
    } finally {
      if (this.#turns.get(key) === mine) this.#turns.delete(key)
    }
  }
}

function toPluggedPort(
  { device, vlan, externalIds, error }: BridgePort,
  devices: readonly string[],
): readonly PluggedPort[] {
  const portId = externalIds['iface-id']
  if (portId === undefined || hostDevice(portId) !== device) return []
  const [serverId, mac] = [externalIds['vm-uuid'] ?? null, externalIds['attached-mac'] ?? null]
  return [{ portId, serverId, device, vlan, mac, error: error ?? (devices.includes(portId) ? null : 'no device') }]
}

function strayPort(portId: string): PluggedPort {
  return { portId, serverId: null, device: hostDevice(portId), vlan: null, mac: null, error: 'not in the switch' }
}

/** Opens the bridge, made when it is not there. */
export async function openWires({
  ovsSocket,
  bridge: name,
  datapath,
  owner,
  namespaces,
  hostReachesGuests = true,
  switchNamespace = null,
}: WireSettings): Promise<Wires> {
  const bridge = new Bridge(ovsSocket, name, owner, { netnsPath: switchNamespace })
  await bridge.ensure(datapath)
  const firewall = firewallOf(ovsSocket, name, { hostReachesGuests })
  await firewall.open()
  using outside = new RtNetlink(bridge.netnsPath)
  await outside.loopbackUp()
  return new Wires({ bridge, datapath: await bridge.datapath(), firewall }, namespaces)
}

/** Not open: it changes nothing by itself. ovs-vswitchd has its sockets beside the database's. */
export function firewallOf(
  ovsSocket: string,
  bridge: string,
  settings: { readonly hostReachesGuests: boolean },
): Firewall {
  return new Firewall(new FlowTable(join(dirname(ovsSocket), `${bridge}.mgmt`)), settings)
}

/** The wires of the guests on one host, whatever they are plugged into. */
import { isDeepStrictEqual } from 'node:util'
import { Unavailable } from '../core/errors.ts'
import { innerMtu } from '../core/tunnel-mtu.ts'
import { hostDevice, type Policy, type Vif, type VifAddress } from '../core/network.ts'
import { countersOf, type VifCounters } from './counters.ts'
import type { Gateway } from './gateway.ts'
import type { MetadataSockets } from './metadata.ts'
import {
  ensureNamespace,
  findNamespace,
  gatewayNamespaces,
  listNamespaces,
  removeNamespace,
  type Namespace,
  type NamespaceSettings,
} from './namespace.ts'
import { probe, type Answers } from './probe.ts'
import { addressText, RtNetlink, type Link } from './rtnetlink.ts'
import { Spares, usualSpares } from './spare.ts'
import type { PluggedPort, Switch } from './switch.ts'
import type { TracedPacket, TraceVerdict } from './trace.ts'
import type { Tunnels } from './tunnel.ts'
import { uplinkLink } from './uplink.ts'

/** A guest's device as the kernel has it. */
export interface SeenDevice {
  readonly mac: string
  /** with prefix lengths, such as '10.0.0.4/24' */
  readonly addresses: readonly string[]
}

async function linkIn(netnsPath: string, device: string): Promise<Link> {
  using there = new RtNetlink(netnsPath)
  const link = await there.link(device)
  if (!link) throw new Unavailable(`${device} is missing in ${netnsPath}`)
  return link
}

export class Wires {
  readonly #switch: Switch
  readonly #namespaces: NamespaceSettings
  readonly #spares: Spares
  #tunnels: Tunnels | null = null
  readonly #turns = new Map<string, Promise<unknown>>()
  /** places from which wires are asked just now */
  readonly #lookouts = new Set<string>()

  /** @param spares namespaces that stand ready; 0 for one who only looks */
  constructor(
    kind: Switch,
    namespaces: NamespaceSettings,
    { spares = usualSpares }: { readonly spares?: number } = {},
  ) {
    this.#switch = kind
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
    await this.#inTurn(vif.portId, () => this.#switch.plug(vif, netnsPath))
  }

  async unplug(portId: string): Promise<void> {
    await this.#inTurn(portId, () => this.#switch.unplug(portId))
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
    return await this.#switch.isPlugged(vif, netnsPath)
  }

  /** All ports of guests under our mark: in the switch, or only a device that a crash kept out of it. */
  async list(): Promise<readonly PluggedPort[]> {
    return await this.#switch.list()
  }

  /** What has passed through a vif since it was plugged; null when it does not stand here. */
  counters(portId: string): Promise<VifCounters | null> {
    return Promise.resolve(countersOf(hostDevice(portId), this.#switch.netnsPath))
  }

  /**
   * The plugged ones of these vifs, and no others, are held to these groups and to what they may send. A change cuts what it forbids and
   * nothing else. Unless all vifs of the host are given, the rest is left as it is.
   */
  async enforce(policy: Policy, vifs: readonly Vif[]): Promise<void> {
    await this.#switch.setPolicy(policy)
    const hold = await this.#switch.holder()
    await Promise.all(
      vifs.map((vif) =>
        this.#inTurn(vif.portId, async () => {
          await hold(vif, () => findNamespace(this.#namespaces, vif.serverId)?.netnsPath ?? null)
        }),
      ),
    )
  }

  /** A device of the machine is a trunk of the bridge. @throws Unavailable when there is no such device */
  async ensureUplink(device: string): Promise<void> {
    await this.#inTurn(device, () => this.#switch.ensureUplink(device))
  }

  /** The machine has the device of its uplink. @throws Unavailable when it has not */
  async confirmUplink(device: string): Promise<void> {
    using here = new RtNetlink(this.#switch.netnsPath)
    await uplinkLink(here, device)
  }

  /** Every other device of the machine that was a trunk of the bridge is so no more; null = there is none. */
  async leaveUplinks(but: string | null): Promise<void> {
    await this.#switch.leaveUplinks(but)
  }

  /** Networks in tunnels reach these other hosts, and no others; null = none. */
  async setTunnels(tunnels: Tunnels | null): Promise<void> {
    if (isDeepStrictEqual(tunnels, this.#tunnels)) return
    await this.#switch.setTunnels(tunnels)
    this.#tunnels = tunnels
  }

  /** Bytes of a frame that tunnels from this address carry. @throws Unavailable when no device of the host has it */
  async tunnelMtu(local: string): Promise<number> {
    using here = new RtNetlink(this.#switch.netnsPath)
    const found = (await here.addresses()).find(({ text }) => text.split('/')[0] === local)
    const link = (await here.links()).find(({ index }) => index === found?.index)
    if (!link) throw new Unavailable(`tunnelAddress ${local}: no device of this host has it`)
    return innerMtu(link.mtu, local)
  }

  /**
   * Frames pass between this host and others.
   *
   * @param isTrusted whether another host answers for the gateways
   */
  async openTrunks(isTrusted: boolean): Promise<void> {
    await this.#switch.openTrunks(isTrusted)
  }

  /**
   * What the switch would do with a packet from a plugged port, without sending one.
   *
   * @throws Unavailable when the port is not plugged here
   */
  async trace(portId: string, packet: TracedPacket): Promise<TraceVerdict> {
    return await this.#switch.trace(portId, packet)
  }

  /** The same of a packet that comes from another host, in the network of that tag. @throws Unavailable when no way leads there */
  async traceArrival(packet: TracedPacket, vlan: number | null): Promise<TraceVerdict> {
    return await this.#switch.traceArrival(packet, vlan)
  }

  /** Flows that nobody here asked for are gone: to be called when all ports and gateways of the host were seen to. */
  async settle(): Promise<void> {
    await this.#switch.settle()
  }

  /** @param isApart whether it must not meet other addresses of the host: it then stands in a namespace of its own */
  async ensureGateway(gateway: Gateway, { isApart = false }: { readonly isApart?: boolean } = {}): Promise<void> {
    const { device } = gateway
    const apart = gatewayNamespaces(this.#namespaces)
    await this.#inTurn(device, async () => {
      if (!isApart) {
        await this.#switch.ensureGateway(gateway)
        removeNamespace(apart, device)
        return
      }
      const { netnsPath } = await ensureNamespace(apart, device)
      await this.#switch.ensureGateway({ ...gateway, netnsPath })
    })
  }

  async removeGateway(device: string): Promise<void> {
    await this.#inTurn(device, async () => {
      await this.#switch.removeGateway(device)
      removeNamespace(gatewayNamespaces(this.#namespaces), device)
    })
  }

  /**
   * Asks the wire of a network who has these IPv4 addresses, from a place that has none itself and is gone when this returns.
   *
   * @param device a name for that place, 15 characters at most: one such question at a time
   */
  async probe(
    { device, vlan, mtu }: Pick<Gateway, 'device' | 'vlan' | 'mtu'>,
    addresses: readonly string[],
  ): Promise<Answers> {
    if (addresses.length === 0) return new Map()
    return await this.#inTurn(`probe ${device}`, async () => {
      this.#lookouts.add(device)
      try {
        await this.ensureGateway({ device, vlan, mtu, addresses: [] }, { isApart: true })
        const { netnsPath } = findNamespace(gatewayNamespaces(this.#namespaces), device) ?? { netnsPath: '' }
        const link = await linkIn(netnsPath, device)
        return await probe(netnsPath, link, addresses)
      } finally {
        await this.removeGateway(device)
        this.#lookouts.delete(device)
      }
    })
  }

  /** What a guest's device has, whatever it is to have; null when it is not there. */
  async seen({ portId, serverId }: Pick<Vif, 'portId' | 'serverId'>): Promise<SeenDevice | null> {
    const namespace = findNamespace(this.#namespaces, serverId)
    if (!namespace) return null
    using outside = new RtNetlink(this.#switch.netnsPath)
    const end = await outside.link(hostDevice(portId))
    if (!end) return null
    using inside = new RtNetlink(namespace.netnsPath)
    const link = (await inside.links()).find(
      ({ index, peerIndex }) => index === end.peerIndex && peerIndex === end.index,
    )
    if (!link) return null
    return { mac: link.mac, addresses: (await inside.addresses(link.index)).map(({ text }) => text) }
  }

  /** Devices of the gateways that stand here. */
  async listGateways(): Promise<readonly string[]> {
    return (await this.#switch.listGateways()).filter((device) => !this.#lookouts.has(device))
  }

  /** The switch and its database answer. @throws PartSilent */
  async confirm(): Promise<void> {
    await this.#switch.confirm()
  }

  /**
   * Sockets at which all guests reach the metadata service and its DNS, over their own ports: to be asked for before ports are plugged.
   *
   * @param device name of its end on the host
   */
  async listenForMetadata(device: string): Promise<MetadataSockets> {
    return await this.#switch.listenForMetadata(device)
  }

  /** The port whose guest has this address for the metadata service, or null. */
  callerAt(address: string): string | null {
    return this.#switch.callerAt(address)
  }

  async closeMetadata(): Promise<void> {
    await this.#switch.closeMetadata()
  }

  close(): void {
    this.#spares.close()
    this.#switch.close()
  }

  /** Works on one device come one after the other: two at once would both find it missing. */
  async #inTurn<T>(key: string, work: () => Promise<T>): Promise<T> {
    const mine = (this.#turns.get(key) ?? Promise.resolve()).then(work, work)
    this.#turns.set(key, mine)
    try {
      return await mine
    } finally {
      if (this.#turns.get(key) === mine) this.#turns.delete(key)
    }
  }
}

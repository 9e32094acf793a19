/** What the agent asks of the kernel and of Open vSwitch: the wires of one host are opened here. */
import { Unavailable } from '../core/errors.ts'
import { Bridge, type Datapath } from './bridge.ts'
import { bridgeSwitchOf } from './bridge-switch.ts'
import type { NamespaceSettings } from './namespace.ts'
import { firewallOf, OvsSwitch } from './ovs-switch.ts'
import { leaveBridges } from './remove-bridges.ts'
import { RtNetlink } from './rtnetlink.ts'
import { Wires } from './wires.ts'

export { metadataAddress } from './flows/metadata.ts'
export type { VifCounters } from './counters.ts'
export type { TracedPacket, TraceVerdict } from './trace.ts'
export type { Gateway } from './gateway.ts'
export type { MetadataSockets } from './metadata.ts'
export type { Namespace } from './namespace.ts'
export type { Answers } from './probe.ts'
export type { PluggedPort } from './switch.ts'
export { Wires, type SeenDevice } from './wires.ts'

/** How guests of a host are wired. */
export interface WireSettings {
  /** what guests are plugged into; unless told, Open vSwitch */
  readonly vifType?: 'ovs' | 'bridge'
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

/** Opens the switch, made when it is not there. */
export async function openWires(settings: WireSettings): Promise<Wires> {
  const wires = settings.vifType === 'bridge' ? await openBridges(settings) : await openOvs(settings)
  using outside = new RtNetlink(settings.switchNamespace ?? null)
  await outside.loopbackUp()
  return wires
}

/** A host whose guests are on Linux bridges from now on: the gateways of before would hold the addresses. With guests on it all stay. */
async function leaveOvs({ ovsSocket, bridge: name, owner, switchNamespace = null }: WireSettings): Promise<void> {
  const bridge = new Bridge(ovsSocket, name, owner, { netnsPath: switchNamespace })
  try {
    const ports = await bridge.ports()
    if (ports.some(({ externalIds }) => externalIds['iface-id'] !== undefined)) return
    for (const { device, externalIds } of ports)
      if (externalIds['berth-role'] === 'gateway') await bridge.remove(device)
  } catch (error) {
    // A host of bridges may have no Open vSwitch at all.
    if (!(error instanceof Unavailable)) throw error
  } finally {
    bridge.close()
  }
}

async function openBridges(settings: WireSettings): Promise<Wires> {
  const { owner, namespaces, hostReachesGuests = true, switchNamespace = null } = settings
  await leaveOvs(settings)
  const { kind, guard } = bridgeSwitchOf(owner, switchNamespace, { hostReachesGuests })
  await guard.open()
  return new Wires(kind, namespaces)
}

async function openOvs({
  ovsSocket,
  bridge: name,
  datapath,
  owner,
  namespaces,
  hostReachesGuests = true,
  switchNamespace = null,
}: WireSettings): Promise<Wires> {
  const bridge = new Bridge(ovsSocket, name, owner, { netnsPath: switchNamespace })
  await leaveBridges(owner, switchNamespace)
  await bridge.ensure(datapath)
  const firewall = firewallOf(ovsSocket, name, { hostReachesGuests })
  await firewall.open()
  return new Wires(new OvsSwitch({ bridge, datapath: await bridge.datapath(), firewall }), namespaces)
}

/** What the wires of a host hang on: a switch of some kind, and the rules at its ports. */
import type { Policy, Vif } from '../core/network.ts'
import type { Gateway } from './gateway.ts'
import type { MetadataSockets } from './metadata.ts'
import type { Tunnels } from './tunnel.ts'
import type { TracedPacket, TraceVerdict } from './trace.ts'

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

/** Each kind of wires has one. Works on one device are called one after the other. */
export interface Switch {
  /** the namespace that its devices stand in; null = the host's own */
  readonly netnsPath: string | null
  /** Frames pass when this returns. */
  plug(vif: Vif, netnsPath: string): Promise<void>
  unplug(portId: string): Promise<void>
  isPlugged(vif: Vif, netnsPath: string): Promise<boolean>
  /** All ports of guests under our mark: in the switch, or only a device that a crash kept out of it. */
  list(): Promise<readonly PluggedPort[]>
  /** From now on the groups are these. */
  setPolicy(policy: Policy): Promise<void>
  /** @returns what holds a plugged vif, and no other, to what it may do now; with the namespace of its guest, where there is one */
  holder(): Promise<(vif: Vif, netnsPathOf: () => string | null) => Promise<void>>
  ensureUplink(device: string): Promise<void>
  /** Devices of the machine that are an uplink no more leave; this one stays. */
  leaveUplinks(but: string | null): Promise<void>
  setTunnels(tunnels: Tunnels | null): Promise<void>
  openTrunks(isTrusted: boolean): Promise<void>
  trace(portId: string, packet: TracedPacket): Promise<TraceVerdict>
  /** The same of a packet that comes from another host, in the network of that tag. */
  traceArrival(packet: TracedPacket, vlan: number | null): Promise<TraceVerdict>
  settle(): Promise<void>
  ensureGateway(gateway: Gateway): Promise<void>
  removeGateway(device: string): Promise<void>
  listGateways(): Promise<readonly string[]>
  /** @throws PartSilent */
  confirm(): Promise<void>
  /** @returns sockets at which the guests reach the metadata service and its DNS */
  listenForMetadata(device: string): Promise<MetadataSockets>
  callerAt(address: string): string | null
  closeMetadata(): Promise<void>
  close(): void
}

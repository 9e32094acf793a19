/** What passes at the ports of one bridge: who may send as whom, and which groups let whom talk. */
import { isDeepStrictEqual } from 'node:util'
import type { Policy, RateLimit, Segment, Vif } from '../../core/network.ts'
import { baseFlows, trunkFlows, unheardFlows } from './base.ts'
import type { FlowTable } from './flow-table.ts'
import { flow, load, networkOf, registers, tables as t, to, type Flows } from './flow.ts'
import { groupFlows, memberFlows } from './group.ts'
import { callerFlows, metadataFlows, type MetadataPlace } from './metadata.ts'
import { overlayFlows } from './overlay.ts'
import { deliverFlows, portFlows } from './port.ts'
import { seenFlows, type SeenFlows } from './seen.ts'

interface Guarded {
  readonly vif: Vif
  readonly ofport: number
}

/** An internal port of the host in a network. */
export interface HostPort extends Segment {
  readonly device: string
  readonly ofport: number
  readonly mac: string
}

/** Open vSwitch counts from 1 for ports that ask for no number. */
const firstNumber = 100
const lastNumber = 60_000

const meterSlack = 1.25

const emptyPolicy: Policy = { groups: [], members: new Map() }

export class Firewall {
  readonly #flows: FlowTable
  readonly #hostReachesGuests: boolean
  readonly #ports = new Map<string, Guarded>()
  readonly #hostPorts = new Map<string, HostPort>()
  readonly #tunnels = new Map<number, { readonly ofport: number; readonly isTrusted: boolean }>()
  readonly #trunks = new Set<string>()
  #policy = emptyPolicy
  #lastNumber = firstNumber - 1
  #metadata: MetadataPlace | null = null

  constructor(flows: FlowTable, { hostReachesGuests }: { readonly hostReachesGuests: boolean }) {
    this.#flows = flows
    this.#hostReachesGuests = hostReachesGuests
  }

  /** What does not depend on ports is there, and all of it comes back when ovs-vswitchd does. For one process at a time. */
  async open(): Promise<void> {
    this.#flows.watch()
    await this.#flows.set(new Map([['base', baseFlows]]))
  }

  close(): void {
    this.#flows.close()
  }

  /**
   * A number for a port that is not there yet: one that no other has, and that none had for long.
   *
   * @param taken asked once, for those that ports have which came before this process
   */
  async number(taken: () => Promise<readonly number[]>): Promise<number> {
    // Later ones are known here, and the switch gives another number than one that is taken.
    const first = this.#lastNumber < firstNumber ? await taken() : []
    const known = [...first, ...[...this.#ports.values()].map(({ ofport }) => ofport)]
    const used = new Set(known.filter((one) => one <= lastNumber))
    if (this.#lastNumber < firstNumber) this.#lastNumber = Math.max(firstNumber - 1, ...used)
    do {
      this.#lastNumber = this.#lastNumber >= lastNumber ? firstNumber : this.#lastNumber + 1
    } while (used.has(this.#lastNumber))
    return this.#lastNumber
  }

  /** Frames of the port pass, as far as they may. */
  async guard(vif: Vif, ofport: number): Promise<void> {
    const before = this.#ports.get(vif.portId)
    if (before?.ofport !== ofport && before?.vif.outbound) await this.#flows.setMeter(before.ofport, null)
    this.#ports.set(vif.portId, { vif, ofport })
    if (vif.outbound) await this.#flows.setMeter(ofport, meterOf(vif.outbound))
    await this.#flows.set(
      new Map([
        [unitOf(vif.portId), this.#flowsOf({ vif, ofport })],
        ...this.#overlays(vif.vni, before?.vif.vni),
        this.#unheard(),
      ]),
    )
    // A flow that names a meter goes with it: the flow first.
    if (!vif.outbound && before?.vif.outbound && before.ofport === ofport) await this.#flows.setMeter(ofport, null)
  }

  /** Nothing passes at the port any more; one that is not known counts as released. */
  async release(portId: string): Promise<void> {
    const before = this.#ports.get(portId)
    this.#ports.delete(portId)
    await this.#flows.set(
      new Map<string, Flows | null>([[unitOf(portId), null], ...this.#overlays(before?.vif.vni), this.#unheard()]),
    )
    if (before) await this.#flows.forgetConnections(before.ofport)
    if (before?.vif.outbound) await this.#flows.setMeter(before.ofport, null)
  }

  isGuarded(vif: Vif, ofport: number): boolean {
    return isDeepStrictEqual(this.#ports.get(vif.portId), { vif, ofport })
  }

  /** From now on these groups are what they are here; ports that name others let nothing pass for them. In one bundle. */
  async setPolicy(policy: Policy): Promise<void> {
    const wanted = unitsOf(policy)
    const gone = [...unitsOf(this.#policy).keys()].filter((unit) => !wanted.has(unit))
    const [before, now] = [remoteRules(this.#policy), remoteRules(policy)]
    this.#policy = policy
    const changes = new Map<string, Flows | null>(wanted)
    for (const unit of gone) changes.set(unit, null)
    // All else that a rule says is in the flows of its group.
    const isAsked = (id: string): boolean => before.get(id) !== now.get(id)
    for (const [portId, guarded] of this.#ports)
      if (guarded.vif.security?.groupIds.some(isAsked)) changes.set(unitOf(portId), this.#flowsOf(guarded))
    await this.#flows.set(changes)
  }

  async addHostPort(port: HostPort): Promise<void> {
    const { device, ofport, mac } = port
    this.#hostPorts.set(device, port)
    const flows = new Map([
      flow(
        t.classify,
        100,
        `in_port=${ofport},vlan_tci=0x0000`,
        load(networkOf(port), registers.vlan),
        load(1, registers.fromHost),
        to(t.deliver),
      ),
      ...deliverFlows(port, mac, [`output:${ofport}`]),
    ])
    await this.#flows.set(new Map([[`host ${device}`, flows], ...this.#overlays(port.vni)]))
  }

  /** Guests reach the metadata service there. */
  async setMetadata(place: MetadataPlace): Promise<void> {
    this.#metadata = place
    const ports = [...this.#ports].map(([portId, guarded]) => [unitOf(portId), this.#flowsOf(guarded)] as const)
    await this.#flows.set(new Map([['metadata', metadataFlows(place)], ...ports]))
  }

  /** The port that has this OpenFlow number, or null. */
  portNumbered(ofport: number): string | null {
    for (const [portId, guarded] of this.#ports) if (guarded.ofport === ofport) return portId
    return null
  }

  async addTrunk(device: string, ofport: number, isTrusted: boolean): Promise<void> {
    this.#trunks.add(device)
    await this.#flows.set(new Map([[`trunk ${device}`, trunkFlows(ofport, isTrusted)], this.#unheard()]))
  }

  async removeDevice(device: string): Promise<void> {
    const vni = this.#hostPorts.get(device)?.vni
    this.#hostPorts.delete(device)
    this.#trunks.delete(device)
    const gone = [`host ${device}`, `trunk ${device}`].map((unit) => [unit, null] as const)
    await this.#flows.set(new Map<string, Flows | null>([...gone, ...this.#overlays(vni), this.#unheard()]))
  }

  /** As the switch has them now, whoever wrote them. */
  async seen(): Promise<SeenFlows> {
    return seenFlows(await this.#flows.dump())
  }

  /** Frames of that network go to other hosts, and come from them, by this port; null = by none. */
  async setTunnel(vni: number, tunnel: { readonly ofport: number; readonly isTrusted: boolean } | null): Promise<void> {
    if (tunnel === null) this.#tunnels.delete(vni)
    else this.#tunnels.set(vni, tunnel)
    await this.#flows.set(new Map([...this.#overlays(vni), this.#unheard()]))
  }

  /** Numbers of the networks in tunnels that something here is on. */
  overlays(): ReadonlySet<number> {
    const segments = [...[...this.#ports.values()].map(({ vif }) => vif), ...this.#hostPorts.values()]
    return new Set(segments.flatMap(({ vni }) => vni ?? []))
  }

  /** As long as nothing here may be a router or a switch, nor lead to one. */
  #unheard(): readonly [string, Flows] {
    const mayListen =
      this.#trunks.size > 0 ||
      this.#tunnels.size > 0 ||
      [...this.#ports.values()].some(({ vif }) => vif.security === null)
    return ['unheard', mayListen ? new Map<string, string>() : unheardFlows]
  }

  #overlays(...vnis: readonly (number | null | undefined)[]): readonly (readonly [string, Flows])[] {
    const known = new Set(vnis.flatMap((vni) => vni ?? []))
    return [...known].map((vni) => {
      const guests = [...this.#ports.values()].filter(({ vif }) => vif.vni === vni && vif.isUp !== false)
      const hosts = [...this.#hostPorts.values()].filter((port) => port.vni === vni)
      const tunnel = this.#tunnels.get(vni)
      const ports = {
        tunnel: tunnel?.ofport ?? null,
        isTrusted: tunnel?.isTrusted ?? false,
        local: [...guests, ...hosts].map(({ ofport }) => ofport),
        free: guests.filter(({ vif }) => vif.security === null).map(({ ofport }) => ofport),
      }
      const isEmpty = ports.local.length === 0 && ports.tunnel === null
      return [`overlay ${vni}`, isEmpty ? new Map() : overlayFlows(vni, ports)]
    })
  }

  /** The switch has no other flows than these: to be called when all ports of the host are known. */
  async settle(): Promise<void> {
    await this.#flows.settle()
  }

  #flowsOf({ vif, ofport }: Guarded): Flows {
    const meter = vif.outbound ? ofport : null
    const rules = { policy: this.#policy, hostReachesGuests: this.#hostReachesGuests }
    const calls = this.#metadata && vif.isUp !== false ? callerFlows(vif, ofport, this.#metadata) : []
    return new Map([...portFlows(vif, { ofport, meter }, rules), ...calls])
  }
}

/**
 * The guest's own device keeps to the limit and makes senders wait; the meter drops, which TCP answers by sending much less. So the
 * meter is wider, and there for a guest whose root took the other away: measured, TCP then gets about the limit.
 */
function meterOf({ rate, burst }: RateLimit): RateLimit {
  return { rate: Math.round(rate * meterSlack), burst: Math.round(burst * meterSlack) }
}

function unitOf(portId: string): string {
  return `port ${portId}`
}

/** The rules of each group that name another one: ports ask each of them. */
function remoteRules({ groups }: Policy): ReadonlyMap<string, string> {
  return new Map(
    groups.map(({ id, rules }) => [
      id,
      rules.flatMap((rule) => (rule.remoteGroupId === null ? [] : `${rule.direction} ${rule.id}`)).join(),
    ]),
  )
}

function unitsOf({ groups, members }: Policy): ReadonlyMap<string, Flows> {
  return new Map([
    ...groups.map((group) => [`group ${group.id}`, groupFlows(group)] as const),
    ...[...members].map(([id, addresses]) => [`members ${id}`, memberFlows(id, addresses)] as const),
  ])
}

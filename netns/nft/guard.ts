/** What passes at the ports of one host's bridges: who may send as whom, and which groups let whom talk. */
import { isDeepStrictEqual } from 'node:util'
import { hostDevice, type Policy, type Vif } from '../../core/network.ts'
import type { TracedPacket, TraceVerdict } from '../trace.ts'
import { callerAddress } from '../flows/metadata.ts'
import { groupUnit, memberUnit, profileUnit, remoteGroupIds } from './group.ts'
import { portUnit } from './port.ts'
import type { RuleTable, Unit } from './rule-table.ts'
import { marks } from './tables.ts'
import { traceThrough, type TracedWay } from './trace.ts'

interface Guarded {
  readonly vif: Vif
  readonly bridge: string
}

/** Whose frames come in by a device that is no guest's. */
export type Role = 'host' | 'foreign' | 'answers'

const emptyPolicy: Policy = { groups: [], members: new Map() }
const lastZone = 65_535

export class Guard {
  readonly #rules: RuleTable
  readonly #hostReachesGuests: boolean
  readonly #ports = new Map<string, Guarded>()
  readonly #numbers = new Map<string, number>()
  #policy = emptyPolicy
  #lastNumber: number = marks.firstPort - 1

  constructor(rules: RuleTable, { hostReachesGuests }: { readonly hostReachesGuests: boolean }) {
    this.#rules = rules
    this.#hostReachesGuests = hostReachesGuests
  }

  /** The tables are there; what an agent before left in them holds until `settle`. For one process at a time. */
  async open(): Promise<void> {
    await this.#rules.open()
    for (const [device, number] of this.#rules.present('marks')) this.#numbers.set(device, Number(number))
  }

  close(): void {
    this.#rules.close()
  }

  /** The number of a port on this host, the same as long as it stands. */
  numberOf(portId: string): number {
    const device = hostDevice(portId)
    const known = this.#numbers.get(device)
    if (known !== undefined) return known
    const used = new Set(this.#numbers.values())
    do {
      this.#lastNumber = this.#lastNumber >= marks.lastPort ? marks.firstPort : this.#lastNumber + 1
    } while (used.has(this.#lastNumber))
    this.#numbers.set(device, this.#lastNumber)
    return this.#lastNumber
  }

  /** Frames of the port pass, as far as they may. */
  async guard(vif: Vif, bridge: string): Promise<void> {
    const before = this.#ports.get(vif.portId)
    if (before && isDeepStrictEqual(before, { vif, bridge })) return
    this.#ports.set(vif.portId, { vif, bridge })
    const unit = [unitOf(vif.portId), this.#unitOf({ vif, bridge })] as const
    await this.#rules.set(new Map([...this.#profiles(), unit, ...this.#forgotten(before)]))
  }

  /** Nothing passes at the port any more; one that is not known counts as released. */
  async release(portId: string): Promise<void> {
    const before = this.#ports.get(portId)
    this.#ports.delete(portId)
    this.#numbers.delete(hostDevice(portId))
    await this.#rules.set(new Map([[unitOf(portId), null], ...this.#forgotten(before)]))
  }

  isGuarded(vif: Vif, bridge: string): boolean {
    return isDeepStrictEqual(this.#ports.get(vif.portId), { vif, bridge })
  }

  /** From now on these groups are what they are here; ports that name others let nothing pass for them. In one transaction. */
  async setPolicy(policy: Policy): Promise<void> {
    const gone = [...unitsOf(this.#policy).keys()]
    this.#policy = policy
    const changes = new Map<string, Unit | null>(gone.map((unit) => [unit, null]))
    for (const [name, unit] of [...unitsOf(policy), ...this.#profiles()]) changes.set(name, unit)
    await this.#rules.set(changes)
  }

  /** The port that has this number, or null. */
  portNumbered(number: number): string | null {
    for (const portId of this.#ports.keys()) if (this.numberOf(portId) === number) return portId
    return null
  }

  /** Frames of a network are tracked by themselves, apart from those of all others. */
  async addBridge(bridge: string): Promise<void> {
    const zones = this.#rules.present('zones')
    const used = new Set(zones.values())
    let zone = Number(zones.get(bridge) ?? 0)
    if (zone === 0) {
      do zone += 1
      while (used.has(String(zone)) && zone < lastZone)
    }
    const elements = [
      { set: 'zones', key: bridge, value: String(zone) },
      { set: 'bridges', key: bridge, value: '' },
    ]
    await this.#rules.set(new Map([[`bridge ${bridge}`, { elements }]]))
  }

  /** A device of a bridge that is no guest's. */
  async addDevice(device: string, role: Role): Promise<void> {
    const elements = [{ set: 'ports', key: device, value: `goto ${role}` }]
    await this.#rules.set(new Map([[`device ${device}`, { elements }]]))
  }

  async removeDevice(device: string): Promise<void> {
    await this.#rules.set(new Map([[`device ${device}`, null]]))
  }

  async removeBridge(bridge: string): Promise<void> {
    await this.#rules.set(new Map([[`bridge ${bridge}`, null]]))
  }

  /** The kernel has no other rules in our tables than these: to be called when all ports of the host are known. */
  async settle(): Promise<void> {
    await this.#rules.settle()
  }

  /** What the kernel's rules do with a packet that goes this way. */
  async trace(way: TracedWay, packet: TracedPacket): Promise<TraceVerdict> {
    return traceThrough({ texts: await this.#rules.listing(), owner: this.#rules.owner }, way, packet)
  }

  #unitOf({ vif, bridge }: Guarded): Unit {
    const number = this.numberOf(vif.portId)
    return portUnit(vif, { bridge, number, caller: callerAddress(number) })
  }

  /** Of each combination of groups that ports have, once. */
  #profiles(): ReadonlyMap<string, Unit> {
    const combinations = new Map(
      [...this.#ports.values()].flatMap(({ vif: { security } }) =>
        security ? [[profileOf(security.groupIds), security.groupIds] as const] : [],
      ),
    )
    return new Map(
      [...combinations].map(([name, ids]) => [name, profileUnit(this.#policy, ids, this.#hostReachesGuests)] as const),
    )
  }

  /** The chains of a combination of groups that no port has any more. */
  #forgotten(before: Guarded | undefined): readonly (readonly [string, null])[] {
    const ids = before?.vif.security?.groupIds
    if (ids === undefined) return []
    const name = profileOf(ids)
    const isKept = [...this.#ports.values()].some(
      ({ vif: { security } }) => security && profileOf(security.groupIds) === name,
    )
    return isKept ? [] : [[name, null]]
  }
}

function profileOf(groupIds: readonly string[]): string {
  return `profile ${groupIds.toSorted().join(' ')}`
}

function unitOf(portId: string): string {
  return `port ${portId}`
}

/** Every group that a rule names has sets, with members or without. */
function unitsOf(policy: Policy): ReadonlyMap<string, Unit> {
  const remote = new Set([...remoteGroupIds(policy), ...policy.members.keys()])
  return new Map([
    ...policy.groups.map((group) => [`group ${group.id}`, groupUnit(group)] as const),
    ...[...remote].map((id) => [`members ${id}`, memberUnit(id, policy.members.get(id) ?? [])] as const),
  ])
}

/** The flows of one bridge, as they are wanted and as they are in ovs-vswitchd. */
import { execa } from 'execa'
import { messageOf, Unavailable } from '../../core/errors.ts'
import type { RateLimit } from '../../core/network.ts'
import type { Flows } from './flow.ts'
import { OpenFlowConnection, OpenFlowRefusal } from '../openflow/connection.ts'
import { flowMod, flushZone, meterMod } from '../openflow/messages.ts'

const timeoutMs = 20_000
/** OFPET_METER_MOD_FAILED: there is one of that number; there is none. Source: OpenFlow Switch Specification 1.4, 7.5.4.13 */
const meterExists = '12/1'
const meterUnknown = '12/3'

/** Match and actions; null = the flow is to go. */
type FlowChange = readonly [string, string | null]

interface Change {
  readonly flows: readonly FlowChange[]
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

export class FlowTable {
  readonly #target: string
  readonly #connection: OpenFlowConnection
  readonly #units = new Map<string, Flows>()
  readonly #meters = new Map<number, RateLimit>()
  #queue: Change[] = []
  #running: Promise<void> | null = null

  /** @param socketPath the bridge's management socket, such as /run/openvswitch/br-berth.mgmt */
  constructor(socketPath: string) {
    this.#target = `unix:${socketPath}`
    this.#connection = new OpenFlowConnection(socketPath, () => void this.#restore())
  }

  /** From now on all flows are put back when ovs-vswitchd was gone. */
  watch(): void {
    this.#connection.keep()
  }

  close(): void {
    this.#connection.close()
  }

  /**
   * The flows of these units are what is given, null = none, when this returns. Other units are not touched, and what a unit has before
   * and after is there all the while: all changes that wait are one bundle.
   */
  async set(changes: ReadonlyMap<string, Flows | null>): Promise<void> {
    const flows = [...changes].flatMap(([unit, wanted]) => this.#replace(unit, wanted ?? new Map<string, string>()))
    if (flows.length === 0) return
    await new Promise<void>((resolve, reject) => {
      this.#queue.push({ flows, resolve, reject })
      void this.#drain()
    })
  }

  /** Drops what is over the limit; null = there is no such meter. */
  async setMeter(number: number, limit: RateLimit | null): Promise<void> {
    const before = this.#meters.get(number)
    if (limit === null) {
      this.#meters.delete(number)
      if (before) await this.#removeMeter(number)
      return
    }
    if (before?.rate === limit.rate && before.burst === limit.burst) return
    this.#meters.set(number, limit)
    await this.#putMeter(number, limit)
  }

  /** The next port of this number does not answer to the connections of the last. */
  async forgetConnections(zone: number): Promise<void> {
    await this.#connection.tell(flushZone(zone))
  }

  /** The switch has all units, and no other flow: what another agent left, or somebody changed by hand, is gone. */
  async settle(): Promise<void> {
    await this.#running
    const lines = [...this.#units.values()].flatMap((flows) => [...flows].map(addLine))
    await this.#ofctl(['--bundle', 'replace-flows'], '-', lines)
  }

  /** What the switch has now, a line each, in the words of ovs-ofctl. */
  async dump(): Promise<readonly string[]> {
    const { failed, stdout, stderr } = await this.#run(['--no-names', 'dump-flows'])
    if (failed) throw new Unavailable(`Open vSwitch does not tell its flows: ${stderr}`)
    return stdout.split('\n')
  }

  #replace(unit: string, wanted: Flows): readonly FlowChange[] {
    const present = this.#units.get(unit)
    if (wanted.size === 0) this.#units.delete(unit)
    else this.#units.set(unit, wanted)
    const gone = [...(present?.keys() ?? [])].filter((match) => !wanted.has(match))
    return [
      ...gone.map((match) => this.#withdraw(match)),
      ...[...wanted].filter(([match, actions]) => present?.get(match) !== actions),
    ]
  }

  /** Two ports may share a MAC address by their address pairs: the other one's flow stays. */
  #withdraw(match: string): FlowChange {
    for (const flows of this.#units.values()) {
      const actions = flows.get(match)
      if (actions !== undefined) return [match, actions]
    }
    return [match, null]
  }

  async #putMeter(number: number, limit: RateLimit): Promise<void> {
    try {
      await this.#connection.tell(meterMod('add', number, limit))
    } catch (error) {
      // It is changed in place; ovs-vswitchd may have it from an agent before.
      if (!(error instanceof OpenFlowRefusal) || error.code !== meterExists) throw error
      await this.#connection.tell(meterMod('modify', number, limit))
    }
  }

  async #removeMeter(number: number): Promise<void> {
    try {
      await this.#connection.tell(meterMod('remove', number, null))
    } catch (error) {
      if (!(error instanceof OpenFlowRefusal) || error.code !== meterUnknown) throw error
    }
  }

  async #drain(): Promise<void> {
    if (this.#running) return
    this.#running = this.#work()
    await this.#running
    this.#running = null
  }

  async #work(): Promise<void> {
    while (this.#queue.length > 0) {
      const batch = this.#queue
      this.#queue = []
      try {
        const flows = batch.flatMap((change) => change.flows)
        await this.#connection.bundle(flows.map(([match, actions]) => flowMod(match, actions)))
        for (const { resolve } of batch) resolve()
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    }
  }

  async #restore(): Promise<void> {
    try {
      for (const [number, limit] of this.#meters) await this.#putMeter(number, limit)
      await this.settle()
    } catch {
      // The switch went again: its next return brings the next attempt, and the full comparison is behind it.
    }
  }

  async #ofctl(words: readonly string[], last: string, lines: readonly string[] = []): Promise<void> {
    const { failed, stderr } = await this.#run(words, last, lines)
    if (failed) throw new Unavailable(`Open vSwitch did not take flows: ${stderr}`)
  }

  async #run(
    words: readonly string[],
    last?: string,
    lines: readonly string[] = [],
  ): Promise<{ readonly failed: boolean; readonly stdout: string; readonly stderr: string }> {
    try {
      const args = ['-O', 'OpenFlow14', ...words, this.#target, ...(last === undefined ? [] : [last])]
      const { failed, stdout, stderr } = await execa('ovs-ofctl', args, {
        input: lines.map((line) => `${line}\n`).join(''),
        reject: false,
        timeout: timeoutMs,
      })
      return { failed, stdout, stderr }
    } catch (error) {
      throw new Unavailable(`ovs-ofctl: ${messageOf(error)}`, { cause: error })
    }
  }
}

function addLine([match, actions]: readonly [string, string]): string {
  return `${match},actions=${actions}`
}

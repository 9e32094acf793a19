/** The flows of one bridge, as they are wanted and as they are in ovs-vswitchd. The only user of ovs-ofctl. */
import { execa } from 'execa'
import { messageOf, Unavailable } from '../../core/errors.ts'
import type { RateLimit } from '../../core/network.ts'
import type { Flows } from './flow.ts'
import { SwitchWatch } from './switch-watch.ts'

const timeoutMs = 20_000

interface Change {
  readonly lines: readonly string[]
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

export class FlowTable {
  readonly #target: string
  readonly #socketPath: string
  #watch: SwitchWatch | null = null
  readonly #units = new Map<string, Flows>()
  readonly #meters = new Map<number, RateLimit>()
  #queue: Change[] = []
  #running: Promise<void> | null = null

  /** @param socketPath the bridge's management socket, such as /run/openvswitch/br-berth.mgmt */
  constructor(socketPath: string) {
    this.#target = `unix:${socketPath}`
    this.#socketPath = socketPath
  }

  /** From now on all flows are put back when ovs-vswitchd was gone. */
  watch(): void {
    this.#watch ??= new SwitchWatch(this.#socketPath, () => void this.#restore())
  }

  close(): void {
    this.#watch?.close()
  }

  /**
   * The flows of these units are what is given, null = none, when this returns. Other units are not touched, and what a unit has before
   * and after is there all the while: all changes that wait are one bundle.
   */
  async set(changes: ReadonlyMap<string, Flows | null>): Promise<void> {
    const lines = [...changes].flatMap(([unit, flows]) => this.#replace(unit, flows ?? new Map<string, string>()))
    if (lines.length === 0) return
    await new Promise<void>((resolve, reject) => {
      this.#queue.push({ lines, resolve, reject })
      void this.#drain()
    })
  }

  /** Drops what is over the limit; null = there is no such meter. */
  async setMeter(number: number, limit: RateLimit | null): Promise<void> {
    const before = this.#meters.get(number)
    if (limit === null) {
      this.#meters.delete(number)
      if (before) await this.#ofctl(['del-meter'], `meter=${number}`)
      return
    }
    if (before?.rate === limit.rate && before.burst === limit.burst) return
    this.#meters.set(number, limit)
    await this.#putMeter(number, limit)
  }

  /** The next port of this number does not answer to the connections of the last. */
  async forgetConnections(zone: number): Promise<void> {
    await this.#ofctl(['ct-flush-zone'], String(zone))
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

  #replace(unit: string, wanted: Flows): readonly string[] {
    const present = this.#units.get(unit)
    if (wanted.size === 0) this.#units.delete(unit)
    else this.#units.set(unit, wanted)
    const gone = [...(present?.keys() ?? [])].filter((match) => !wanted.has(match))
    return [
      ...gone.map((match) => this.#withdraw(match)),
      ...[...wanted]
        .filter(([match, actions]) => present?.get(match) !== actions)
        .map((entry) => `add ${addLine(entry)}`),
    ]
  }

  /** Two ports may share a MAC address by their address pairs: the other one's flow stays. */
  #withdraw(match: string): string {
    for (const flows of this.#units.values()) {
      const actions = flows.get(match)
      if (actions !== undefined) return `add ${addLine([match, actions])}`
    }
    return `delete_strict ${match}`
  }

  async #putMeter(number: number, { rate, burst }: RateLimit): Promise<void> {
    const meter = `meter=${number},kbps,burst,bands=type=drop,rate=${rate},burst_size=${burst}`
    // A meter is changed in place; ovs-vswitchd may have it from an agent before.
    const { failed } = await this.#run(['add-meter'], meter)
    if (failed) await this.#ofctl(['mod-meter'], meter)
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
        await this.#ofctl(
          ['--bundle', 'add-flows'],
          '-',
          batch.flatMap(({ lines }) => lines),
        )
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

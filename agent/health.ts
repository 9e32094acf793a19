/** Whether the parts that this host's guests stand on answer: what does not is told with the sign of life. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf, Unavailable } from '../core/errors.ts'
import type { Host } from './host.ts'
import { shortageOfDisk, shortageOfMemory, shortageOfProcesses } from './shortage.ts'

/** A part that needs longer is asleep, or as good as. */
const answerMs = 5000

/** One question to one part. While an answer is awaited no second one is asked: nothing piles up before a part that sleeps. */
class Probe {
  readonly #part: string
  readonly #ask: () => Promise<unknown>
  #asked: Promise<string | null> | null = null

  constructor(part: string, ask: () => Promise<unknown>) {
    this.#part = part
    this.#ask = ask
  }

  async #answer(): Promise<string | null> {
    try {
      await this.#ask()
      return null
    } catch (error) {
      return messageOf(error)
    } finally {
      this.#asked = null
    }
  }

  /** What is wrong with the part, or null. Returns in time whatever the part does. */
  async problem(): Promise<string | null> {
    const timer = new AbortController()
    const silence = `${this.#part} does not answer within ${answerMs / 1000} s`
    const asked = (this.#asked ??= this.#answer())
    try {
      return await Promise.race([asked, sleep(answerMs, silence, { signal: timer.signal })])
    } finally {
      timer.abort()
    }
  }
}

function tell(problem: string | null): void {
  if (problem !== null) throw new Unavailable(problem)
}

export class Health {
  readonly #probes: readonly Probe[]

  constructor({ driver, wires, config, strain }: Pick<Host, 'driver' | 'wires' | 'config' | 'strain'>) {
    const { lxcfsDir, uplink } = config
    this.#probes = [
      new Probe('Docker', () => driver.capacity()),
      new Probe('Open vSwitch', () => wires.confirm()),
      new Probe('the disk of the guests', async () => {
        tell(shortageOfDisk(await strain.room(), config.diskReserveMiB))
      }),
      new Probe('the memory of the host', async () => {
        tell(shortageOfMemory(await strain.memory()))
      }),
      new Probe('the kernel', async () => {
        tell(shortageOfProcesses(await strain.processes()))
      }),
      ...(uplink === null ? [] : [new Probe('the uplink', () => wires.confirmUplink(uplink))]),
      ...(lxcfsDir === null || lxcfsDir === 'off'
        ? []
        : [new Probe('lxcfs', () => readFile(join(lxcfsDir, 'proc', 'meminfo')))]),
    ]
  }

  /** What is wrong, part by part, or null. */
  async problem(): Promise<string | null> {
    const problems = await Promise.all(this.#probes.map((probe) => probe.problem()))
    return problems.filter((one) => one !== null).join('; ') || null
  }
}

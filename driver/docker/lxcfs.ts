/** lxcfs's files over /proc, so that `free`, `top` and `uptime` show the guest's own. */
import { access, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ContainerCreateOptions } from 'dockerode'
import { messageOf, PartSilent } from '../../core/errors.ts'

export type Mounts = NonNullable<NonNullable<ContainerCreateOptions['HostConfig']>['Mounts']>

const meminfo = 'proc/meminfo'
const files = ['cpuinfo', 'diskstats', 'loadavg', 'meminfo', 'stat', 'swaps', 'uptime'].map((name) => `proc/${name}`)
const cpuDirectory = 'sys/devices/system/cpu'
/** One that is silent for longer is asleep, or gone. */
const answerMs = 5000

async function isThere(path: string): Promise<boolean> {
  try {
    await access(path)
    return true
  } catch {
    // Older versions have fewer files.
    return false
  }
}

export class Lxcfs {
  readonly #directory: string | null
  /** While an answer is awaited nobody asks again: a thread waits in the kernel for each question. */
  #asked: Promise<readonly string[]> | null = null

  /** @param directory where it is mounted; null = guests see the host's figures */
  constructor(directory: string | null) {
    this.#directory = directory
  }

  async #paths(directory: string): Promise<readonly string[]> {
    try {
      await readFile(join(directory, meminfo))
      const found = await Promise.all(
        [...files, cpuDirectory].map(async (path) => ((await isThere(join(directory, path))) ? [path] : [])),
      )
      return found.flat()
    } finally {
      this.#asked = null
    }
  }

  /** @throws PartSilent while it is away: a guest made without it would see the host's figures for good */
  async mounts(): Promise<Mounts> {
    const directory = this.#directory
    if (directory === null) return []
    const timer = new AbortController()
    try {
      const asked = (this.#asked ??= this.#paths(directory))
      const found = await Promise.race([asked, sleep(answerMs, null, { signal: timer.signal })])
      if (found === null) throw new Error(`no answer within ${answerMs / 1000} s`)
      return found.map((path) => ({
        Type: 'bind',
        Source: join(directory, path),
        Target: `/${path}`,
        ReadOnly: path === cpuDirectory,
      }))
    } catch (error) {
      throw new PartSilent(`lxcfs does not answer at ${directory}: ${messageOf(error)}`, { cause: error })
    } finally {
      timer.abort()
    }
  }
}

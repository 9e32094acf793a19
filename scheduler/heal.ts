/** Healing, where settings want it: a host that stays silent is cut off, and its servers are built anew elsewhere. */
import { execa } from 'execa'
import type { Logger } from 'pino'
import type { Config } from '../core/config.ts'
import { messageOf } from '../core/errors.ts'
import type { Db } from '../db/connect.ts'
import { beginEvacuations, markFenced } from '../db/healing.ts'
import type { HostPlace } from '../db/host-places.ts'
import { enqueue } from '../jobs/enqueue.ts'
import type { HostBook } from './host-book.ts'
import { LostHosts } from './lost-hosts.ts'

const fenceTimeoutMs = 120_000

interface Scene {
  readonly db: Db
  readonly config: Pick<Config, 'healing'>
  readonly book: HostBook
  readonly log: Pick<Logger, 'warn' | 'error'>
}

interface Lost {
  readonly host: HostPlace
  readonly silentSeconds: number
}

export class Healer {
  readonly #scene: Scene
  readonly #lost = new LostHosts()

  constructor(scene: Scene) {
    this.#scene = scene
  }

  /**
   * Returns when what is due has begun.
   *
   * @param at milliseconds of a monotonic clock
   */
  async heal(at: number): Promise<void> {
    const { config, book, log } = this.#scene
    const { afterSeconds, mostHosts } = config.healing
    if (afterSeconds === 0) return
    const page = await book.page({ isFresh: true })
    const hosts = [...page.hosts.values()]
    const silence = this.#lost.look(hosts, at)
    const lost = hosts
      .map((host) => ({ host, silentSeconds: silence.get(host.name) ?? 0 }))
      .filter(({ host, silentSeconds }) => silentSeconds >= afterSeconds && isOurs(host))
    if (lost.length > mostHosts) {
      const names = lost.map(({ host }) => host.name)
      log.error({ hosts: names, mostHosts }, 'more hosts are silent than are healed: nothing is done')
      return
    }
    for (const one of lost) await this.#healOne(one)
  }

  async #healOne({ host: { name, isForcedDown }, silentSeconds }: Lost): Promise<void> {
    const { db, config, log } = this.#scene
    const { fence, atOnce } = config.healing
    if (!isForcedDown) {
      try {
        await cutOff(name, fence)
      } catch (error) {
        log.error({ host: name, reason: messageOf(error) }, 'a silent host was not cut off: its servers stay')
        return
      }
      await markFenced(db, name, `fenced after ${silentSeconds} s of silence`)
      log.warn({ host: name, silentSeconds }, 'host fenced')
    }
    const message = `Host ${name} was silent for ${silentSeconds} s: it is fenced, and the server built anew elsewhere.`
    const begun = await beginEvacuations(db, { host: name, atOnce, message }, async (trx, payload) => {
      await enqueue(trx, 'schedule.move', payload)
    })
    if (begun.length > 0) log.warn({ host: name, servers: begun }, 'evacuations begun')
  }
}

/** An operator who works on a host, or switched it off, knows better; one without servers needs nothing. */
function isOurs({ servers, isEnabled, isForcedDown, disabledAs }: HostPlace): boolean {
  return servers > 0 && (isEnabled || isForcedDown || disabledAs === 'draining')
}

async function cutOff(host: string, fence: readonly string[]): Promise<void> {
  const [command = '', ...words] = fence.map((word) => word.replaceAll('{host}', host))
  await execa(command, words, { timeout: fenceTimeoutMs, stdin: 'ignore' })
}

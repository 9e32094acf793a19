/** Servers that a host took and will not build: it was declared down, or has been silent for longer than a build may take. */
import type { Logger } from 'pino'
import type { Config } from '../core/config.ts'
import { Unavailable } from '../core/errors.ts'
import { withEvent } from '../db/action-events.ts'
import { buildsOfSilent, type LostBuild } from '../db/healing.ts'
import type { HostPlace } from '../db/host-places.ts'
import { returnToShelf } from '../db/placement.ts'
import { fail } from '../db/servers.ts'
import { LostHosts } from './lost-hosts.ts'
import type { Site } from './site.ts'

/** So many signs of life that an agent misses: it works on nothing any more. */
export const missedBeats = 3

type Scene = Pick<Site, 'db' | 'book'> & {
  readonly config: Pick<Config, 'heartbeatSeconds' | 'bootTimeoutSeconds'>
  readonly log: Pick<Logger, 'warn'>
}

/** Ends them in error, as nova does; one that was to leave its shelf stays there. A host that comes back finds nothing to build. */
export class Unbuilt {
  readonly #scene: Scene
  readonly #lost = new LostHosts()

  constructor(scene: Scene) {
    this.#scene = scene
  }

  /** @param at milliseconds of a monotonic clock */
  async look(at: number): Promise<void> {
    const { db, config, book } = this.#scene
    const hosts = [...(await book.page({ isFresh: false })).hosts.values()]
    const silence = this.#lost.look(hosts, at)
    const beatsSeconds = missedBeats * config.heartbeatSeconds
    const allowed = ({ isForcedDown }: HostPlace): number =>
      isForcedDown ? beatsSeconds : Math.max(beatsSeconds, config.bootTimeoutSeconds)
    const silent = hosts.filter((host) => (silence.get(host.name) ?? 0) >= allowed(host)).map(({ name }) => name)
    if (silent.length === 0) return
    const ended = await db.transaction(async (trx) => {
      const builds = await buildsOfSilent(trx, silent, beatsSeconds)
      for (const { id, host, isShelved } of builds) {
        const fault = { code: 500, message: reasonOf(host), details: '', host }
        await (isShelved ? returnToShelf(trx, id, fault) : fail(trx, id, fault))
      }
      return builds
    })
    for (const build of ended) await this.#tell(build)
  }

  /** The user's action says what became of it. */
  async #tell({ id: serverId, host, requestId }: LostBuild): Promise<void> {
    const { db, log } = this.#scene
    log.warn({ serverId, host, requestId }, 'server not built by its host, which is silent')
    const lost = (): Promise<never> => Promise.reject(new Unavailable(reasonOf(host)))
    const told = { event: 'compute__do_build_and_run_instance', host }
    await withEvent(db, { serverId, requestId }, told, lost).catch(() => undefined)
  }
}

function reasonOf(host: string): string {
  return `Host ${host} took the server and fell silent before it was built.`
}

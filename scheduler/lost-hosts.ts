import type { HostPlace } from '../db/host-places.ts'

/** A look that comes later than this after the one before tells nothing of the time between. */
const mostBetweenMs = 30_000

interface Heard {
  readonly heartbeatAt: number
  /** when this sign of life, its last, was first seen */
  readonly since: number
}

/**
 * Hosts that gave no sign of life for so long while this process looked on, and could have read one. What was not watched does not count:
 * a database that was away for an hour, or a process that stood still, finds every host silent.
 */
export class LostHosts {
  #heard: ReadonlyMap<string, Heard> = new Map()
  #lookedAt = -Infinity

  /**
   * @param at milliseconds of a monotonic clock at which the rows were read
   * @returns  seconds of silence of each host, in whole seconds
   */
  look(hosts: readonly Pick<HostPlace, 'name' | 'heartbeatAt'>[], at: number): ReadonlyMap<string, number> {
    const before = at - this.#lookedAt > mostBetweenMs ? new Map<string, Heard>() : this.#heard
    this.#lookedAt = at
    this.#heard = new Map(
      hosts.map(({ name, heartbeatAt }) => {
        const heard = before.get(name)
        const isSame = heard?.heartbeatAt === heartbeatAt.getTime()
        return [name, isSame ? heard : { heartbeatAt: heartbeatAt.getTime(), since: at }] as const
      }),
    )
    return new Map([...this.#heard].map(([name, { since }]) => [name, Math.floor((at - since) / 1000)]))
  }
}

import type { HostPlace } from '../db/host-places.ts'

interface Heard {
  readonly heartbeatAt: number
  /** by the clock of this process, which nobody sets */
  readonly at: number
  readonly silentSeconds: number
}

/**
 * For how long hosts have been silent, whatever the database's clock does: since a reading of a moment ago no host can have been silent
 * for longer than that moment. Where nothing was read before, the database's word is taken.
 */
export class Silence {
  readonly #heard = new Map<string, Heard>()

  /** @param at milliseconds of a monotonic clock at which the row was read */
  of(
    { name, heartbeatAt, silentSeconds }: Pick<HostPlace, 'name' | 'heartbeatAt' | 'silentSeconds'>,
    at: number,
  ): number {
    const told = Math.max(silentSeconds, 0)
    const last = this.#heard.get(name)
    const most = last
      ? (at - last.at) / 1000 + (last.heartbeatAt === heartbeatAt.getTime() ? last.silentSeconds : 0)
      : told
    const seconds = silentSeconds < 0 ? most : Math.min(told, most)
    this.#heard.set(name, { heartbeatAt: heartbeatAt.getTime(), at, silentSeconds: seconds })
    return seconds
  }
}

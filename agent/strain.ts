/** What guests do to their host, looked at every second. */
import { messageOf } from '../core/errors.ts'
import { DiskWatch } from './disk-watch.ts'
import type { Host } from './host.ts'
import { LimitWatch } from './limit-watch.ts'

/** For a loop: what failed is logged once, until it succeeds again. */
export class StrainWatch {
  readonly #log: Host['log']
  readonly #watches: readonly { look(): Promise<void> }[]
  #problem: string | null = null

  constructor(host: Host) {
    this.#log = host.log
    this.#watches = [...(host.enforcesDisk ? [] : [new DiskWatch(host)]), new LimitWatch(host)]
  }

  async look(): Promise<void> {
    try {
      for (const watch of this.#watches) await watch.look()
      this.#problem = null
    } catch (error) {
      const reason = messageOf(error)
      if (reason !== this.#problem) this.#log.warn({ reason }, 'strain of the host not looked at')
      this.#problem = reason
    }
  }
}

/** What guests see in /proc of themselves is lxcfs's: when that was started anew, running guests are given the new one's files. */
import { messageOf } from '../core/errors.ts'
import { fileSystemAt, renewFiles, staleFiles, type GuestFiles } from '../netns/bound-files.ts'
import type { Host } from './host.ts'

export class ProcFiles {
  readonly #host: Pick<Host, 'driver' | 'log'>
  readonly #directory: string | null
  /** the instance of lxcfs whose files all guests have */
  #known: string | null = null

  constructor({ driver, log, config }: Pick<Host, 'driver' | 'log' | 'config'>) {
    this.#host = { driver, log }
    this.#directory = config.lxcfsDir === 'off' ? null : config.lxcfsDir
  }

  async #stale(directory: string): Promise<readonly GuestFiles[]> {
    const guests = await this.#host.driver.list()
    const all = await Promise.all(
      guests.map(async ({ serverId, pid }) => {
        if (serverId === null || pid === null) return []
        // A guest that ended meanwhile has no mounts.
        const files = await staleFiles(pid, directory).catch(() => [])
        return files.length === 0 ? [] : [{ pid, files: [...files] }]
      }),
    )
    return all.flat()
  }

  /** Every guest reads its /proc when this returns. It asks the kernel alone, unless lxcfs is another one than the last time. */
  async mend(): Promise<void> {
    const directory = this.#directory
    if (directory === null) return
    const present = await fileSystemAt(directory)
    if (!present || present.device === this.#known) return
    const stale = await this.#stale(directory)
    const outcome = stale.length === 0 ? [] : await renewFiles(stale)
    const failed = outcome.filter(({ error }) => error !== null)
    if (failed.length === 0) this.#known = present.device
    for (const { pid, error } of failed) this.#host.log.warn({ pid, reason: error }, "a guest's /proc was not mended")
    if (stale.length > 0) this.#host.log.warn({ guests: stale.length }, "lxcfs was started anew; guests' /proc mended")
  }

  /** As `mend`, for a loop: what failed is logged, and tried again at the next call. */
  async mendOften(): Promise<void> {
    await this.mend().catch((error: unknown) =>
      this.#host.log.warn({ reason: messageOf(error) }, "guests' /proc not looked at"),
    )
  }
}

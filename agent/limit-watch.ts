/** Tells owners which limits their guests ran into. */
import type { Server } from '../core/server.ts'
import { insertNotice, type NoticeName } from '../db/notices.ts'
import { findServer } from '../db/servers.ts'
import type { LimitHits } from '../driver/strain.ts'
import type { Host } from './host.ts'

/** A guest that goes on and on is told of once in this time. */
const quietMs = 300_000

function sentence(name: NoticeName, { flavor }: Server, { memory, processes }: LimitHits, pidsLimit: number): string {
  return name === 'memoryLimit'
    ? `The server used up its ${flavor.memoryMiB} MiB of memory: the kernel killed ${memory} of its processes since it was started.`
    : `The server used up its ${pidsLimit} processes: it was refused ${processes} since it was started.`
}

export class LimitWatch {
  readonly #host: Host
  #before: ReadonlyMap<string, LimitHits> = new Map()
  /** guest and limit -> when it was last told, by the monotonic clock */
  readonly #told = new Map<string, number>()

  constructor(host: Host) {
    this.#host = host
  }

  #isNews(key: string): boolean {
    const now = performance.now()
    for (const [old, at] of this.#told) if (now - at > quietMs) this.#told.delete(old)
    if (this.#told.has(key)) return false
    this.#told.set(key, now)
    return true
  }

  async #tell(action: NoticeName, hits: LimitHits): Promise<void> {
    const { db, driver, config, name: host, log } = this.#host
    if (!this.#isNews(`${action} ${hits.guestId}`)) return
    const serverId = (await driver.list()).find(({ guestId }) => guestId === hits.guestId)?.serverId
    const server = serverId == null ? null : await findServer(db, serverId)
    if (server?.deletedAt !== null) return
    await insertNotice(db, server, { action, host, message: sentence(action, server, hits, config.pidsLimit) })
    log.warn({ serverId: server.id, ...hits }, 'guest met a limit')
  }

  async look(): Promise<void> {
    const all = await this.#host.strain.hits()
    const before = this.#before
    this.#before = new Map(all.map((hits) => [hits.guestId, hits]))
    for (const hits of all) {
      const last = before.get(hits.guestId)
      if (hits.memory > (last?.memory ?? 0)) await this.#tell('memoryLimit', hits)
      if (hits.processes > (last?.processes ?? 0)) await this.#tell('processLimit', hits)
    }
  }
}

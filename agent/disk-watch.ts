/** Where the storage keeps no guest to its size, who fills the disk that all share is stopped in time. */
import { powerStates } from '../core/states.ts'
import { insertNotice } from '../db/notices.ts'
import { findServer, observe } from '../db/servers.ts'
import type { DiskRoom } from '../driver/strain.ts'
import type { Host } from './host.ts'

/** A small guest has twenty thousand. */
const leastFiles = 2000

/** What is wrong with the room, or null. */
export function shortage({ path, freeMiB, totalMiB, freeFiles }: DiskRoom, reserveMiB: number): string | null {
  if (freeMiB < reserveMiB)
    return `the disk of the guests, ${path}, has ${freeMiB} MiB free of ${totalMiB} MiB; ${reserveMiB} MiB are kept`
  if (freeFiles !== null && freeFiles < leastFiles)
    return `the disk of the guests, ${path}, has room for ${freeFiles} more files; ${leastFiles} are kept`
  return null
}
/** One that would fill what is left within so many looks is stopped; who writes a little goes on. */
const leastLooks = 20

/** While the disk is short of room, the guest that grew most since the last look is paused. */
export class DiskWatch {
  readonly #host: Host
  #before: ReadonlyMap<string, number> | null = null

  constructor(host: Host) {
    this.#host = host
  }

  async #pause(id: string, { grownMiB, room }: { grownMiB: number; room: DiskRoom }): Promise<void> {
    const { db, driver, name: host, log, turns } = this.#host
    await turns.at(id, async () => {
      const server = await findServer(db, id)
      if (server?.vmState !== 'active' || server.taskState !== null) return
      await driver.pause(id)
      if (!(await observe(db, id, { vmState: 'paused', powerState: powerStates.paused }))) return
      const message =
        `The server was paused: the disk of host ${host} (${room.path}) had ${room.freeMiB} MiB left, ` +
        `and the server had just written ${grownMiB} MiB. It can be unpaused when there is room again.`
      await insertNotice(db, server, { action: 'diskGuard', host, message })
      log.warn({ serverId: id, grownMiB, freeMiB: room.freeMiB, path: room.path }, 'writer paused, the disk is short')
    })
  }

  async look(): Promise<void> {
    const { config, strain } = this.#host
    const room = await strain.room()
    if (shortage(room, config.diskReserveMiB) === null) {
      this.#before = null
      return
    }
    const before = this.#before
    const sizes = await strain.writtenMiB()
    this.#before = sizes
    if (before === null) return
    const growth = [...sizes].map(([id, size]) => ({ id, grownMiB: size - (before.get(id) ?? size) }))
    const most = growth.toSorted((a, b) => b.grownMiB - a.grownMiB)[0]
    if (most && most.grownMiB * leastLooks > room.freeMiB) await this.#pause(most.id, { grownMiB: most.grownMiB, room })
  }
}

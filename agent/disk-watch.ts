/** Where the storage keeps no guest to its size, who fills the disk that all share is stopped in time. */
import { powerStates } from '../core/states.ts'
import { insertNotice } from '../db/notices.ts'
import { findServer, observe } from '../db/servers.ts'
import type { DiskRoom } from '../driver/strain.ts'
import type { Host } from './host.ts'
import { shortageOfDisk } from './shortage.ts'

/** One that would fill what is left within so many looks is stopped; who takes a little goes on. */
const leastLooks = 20

/** What a disk runs out of. */
interface Resource {
  readonly word: string
  /** null where there is no end of it */
  readonly free: (room: DiskRoom) => number | null
  /** Whether it is time to look at what each guest takes, which costs something. */
  readonly isShort: (room: DiskRoom, before: DiskRoom | null) => boolean
  /** what each guest has taken, by server */
  readonly taken: () => Promise<ReadonlyMap<string, number>>
}

/** Files are used up far faster than room, and told of by no reserve: what counts is how fast they go. */
function fileEndIsNear({ freeFiles }: DiskRoom, before: DiskRoom | null): boolean {
  if (freeFiles === null || before?.freeFiles == null) return false
  return (before.freeFiles - freeFiles) * leastLooks > freeFiles
}

function resourcesOf({ strain, config }: Host): readonly Resource[] {
  return [
    {
      word: 'MiB',
      free: ({ freeMiB }) => freeMiB,
      isShort: (room) => shortageOfDisk(room, config.diskReserveMiB) !== null,
      taken: () => strain.writtenMiB(),
    },
    {
      word: 'files',
      free: ({ freeFiles }) => freeFiles,
      isShort: (room, before) => shortageOfDisk(room, 0) !== null || fileEndIsNear(room, before),
      taken: () => strain.filesWritten(),
    },
  ]
}

/** While the disk is short of something, the guest that took most of it since the last look is paused. */
export class DiskWatch {
  readonly #host: Host
  readonly #resources: readonly Resource[]
  #room: DiskRoom | null = null
  readonly #taken = new Map<Resource, ReadonlyMap<string, number>>()

  constructor(host: Host) {
    this.#host = host
    this.#resources = resourcesOf(host)
  }

  async #pause(id: string, { path, took, left }: { path: string; took: string; left: string }): Promise<void> {
    const { db, driver, name: host, log, turns } = this.#host
    await turns.at(id, async () => {
      const server = await findServer(db, id)
      if (server?.vmState !== 'active' || server.taskState !== null) return
      await driver.pause(id)
      const message =
        `The server was paused: the disk of host ${host} (${path}) had ${left} left, ` +
        `and the server had just taken ${took}. It can be unpaused when there is room again.`
      const isPaused = await db.transaction(async (trx) => {
        if (!(await observe(trx, id, { vmState: 'paused', powerState: powerStates.paused }))) return false
        await insertNotice(trx, server, { action: 'diskGuard', host, message })
        return true
      })
      if (!isPaused) return
      log.warn({ serverId: id, took, left, path }, 'writer paused, the disk is short')
    })
  }

  /** Two looks in a row tell who takes how much. */
  async #lookAt(resource: Resource, room: DiskRoom): Promise<void> {
    const free = resource.free(room)
    const before = this.#taken.get(resource)
    this.#taken.delete(resource)
    if (free === null || !resource.isShort(room, this.#room)) return
    const now = await resource.taken()
    this.#taken.set(resource, now)
    if (before === undefined) return
    const growth = [...now].map(([id, size]) => ({ id, grown: size - (before.get(id) ?? size) }))
    const most = growth.toSorted((a, b) => b.grown - a.grown)[0]
    if (!most || most.grown * leastLooks <= free) return
    const { word } = resource
    await this.#pause(most.id, { path: room.path, took: `${most.grown} ${word}`, left: `${free} ${word}` })
  }

  async look(): Promise<void> {
    const room = await this.#host.strain.room()
    for (const resource of this.#resources) await this.#lookAt(resource, room)
    this.#room = room
  }
}

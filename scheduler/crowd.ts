import { Together } from '../core/together.ts'
import type { Server } from '../core/server.ts'
import type { Db } from '../db/connect.ts'
import { place, placeTogether, type Placing } from '../db/placement.ts'
import { subnetsOf } from '../db/racks.ts'
import { serversById } from '../db/servers.ts'

/** Servers that look for a host at the same moment: what the database is asked for each, it is asked for all of them in one statement. */
export class Crowd {
  readonly #db: Db
  readonly #servers: Together<string, Server | null>
  readonly #subnets: Together<string, readonly string[]>
  readonly #places: Together<Placing, boolean>

  constructor(db: Db) {
    this.#db = db
    this.#servers = new Together(async (ids) => {
      const servers = await serversById(db, ids)
      return (id) => servers.get(id) ?? null
    })
    this.#subnets = new Together(async (ids) => {
      const subnets = await subnetsOf(db, ids)
      return (id) => subnets.get(id) ?? []
    })
    this.#places = new Together(async (placings) => {
      const placed = await placeTogether(db, placings)
      return (placing) => placed.has(placing)
    })
  }

  /** The row, also of a deleted server; null when there never was one. */
  async server(id: string): Promise<Server | null> {
    return await this.#servers.ask(id)
  }

  /** The subnets in which a server has addresses. */
  async subnetsOf(serverId: string): Promise<readonly string[]> {
    return await this.#subnets.ask(serverId)
  }

  /**
   * As `place`. What cannot be had at once is asked for again alone, which waits for whoever holds the rows: one server's refusal is never
   * another's.
   */
  async place(placing: Placing): Promise<boolean> {
    return (await this.#places.ask(placing)) || (await place(this.#db, placing))
  }
}

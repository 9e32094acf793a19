import type { ServerFlavor } from '../core/server.ts'
import type { Db } from '../db/connect.ts'
import { hostsWithImage } from '../db/host-images.ts'
import { hostsWithUse, type HostUse } from '../db/hosts.ts'
import { addressesByRack, subnetsOf } from '../db/racks.ts'
import { Silence } from './silence.ts'

/** How old what the book says may be: a host that went is then still offered, and its claim or its agent refuses. */
const freshMs = 1000

/** All hosts as they were a moment ago. */
export interface Page {
  readonly hosts: readonly HostUse[]
  /** whether it was read for this question */
  readonly isFresh: boolean
}

interface Reading {
  readonly at: number
  readonly hosts: Map<string, HostUse>
  readonly images: Map<string, Promise<ReadonlySet<string>>>
  readonly subnets: Map<string, Promise<ReadonlyMap<string, number>>>
}

/** What is asked once per page; a question that failed is asked anew. */
async function once<T>(known: Map<string, Promise<T>>, key: string, ask: () => Promise<T>): Promise<T> {
  const asked = known.get(key) ?? ask()
  known.set(key, asked)
  asked.catch(() => known.delete(key))
  return await asked
}

/** Of all maps together. */
function sumOf(maps: readonly ReadonlyMap<string, number>[]): ReadonlyMap<string, number> {
  const sum = new Map<string, number>()
  for (const map of maps) for (const [key, count] of map) sum.set(key, (sum.get(key) ?? 0) + count)
  return sum
}

/**
 * What a scheduler knows of all hosts, read about once a second however many servers it places. Its own claims are written in at once;
 * those of other schedulers are seen with the next reading, and by the claim itself, which never trusts the book.
 */
export class HostBook {
  readonly #db: Db
  readonly #silence = new Silence()
  #reading: Promise<Reading> | null = null
  #begunAt = -Infinity

  constructor(db: Db) {
    this.#db = db
  }

  async #read(at: number): Promise<Reading> {
    const rows = await hostsWithUse(this.#db)
    const heardAt = performance.now()
    const hosts = rows.map((host) => ({ ...host, silentSeconds: this.#silence.of(host, heardAt) }))
    return { at, hosts: new Map(hosts.map((host) => [host.name, host])), images: new Map(), subnets: new Map() }
  }

  #current(notBefore: number): Promise<Reading> {
    if (this.#reading && this.#begunAt >= notBefore) return this.#reading
    this.#begunAt = performance.now()
    const reading = this.#read(this.#begunAt)
    reading.catch(() => {
      if (this.#reading === reading) this.#reading = null
    })
    this.#reading = reading
    return reading
  }

  /** @param isFresh whether only a reading that begins from now on will do */
  async page({ isFresh }: { readonly isFresh: boolean }): Promise<Page> {
    const asked = performance.now()
    const { at, hosts } = await this.#current(isFresh ? asked : asked - freshMs)
    return { hosts: [...hosts.values()], isFresh: at >= asked }
  }

  /** The hosts that have an image, as of the page. */
  async imageHosts(reference: string): Promise<ReadonlySet<string>> {
    const { images } = await this.#current(-Infinity)
    return await once(images, reference, async () => new Set(await hostsWithImage(this.#db, reference)))
  }

  /** Addresses of the server's subnets in each rack, as of the page; empty where there are no racks to choose between. */
  async portsByRack(serverId: string): Promise<ReadonlyMap<string, number>> {
    const { hosts, subnets } = await this.#current(-Infinity)
    const racks = new Set([...hosts.values()].map(({ rack }) => rack).filter((rack) => rack !== null))
    if (racks.size < 2) return new Map()
    const own = await subnetsOf(this.#db, serverId)
    return sumOf(await Promise.all(own.map((id) => once(subnets, id, () => addressesByRack(this.#db, id)))))
  }

  /** A place on the host is promised. */
  async took(name: string, { vcpus, memoryMiB, diskGiB }: ServerFlavor): Promise<void> {
    const { hosts } = await this.#current(-Infinity)
    const host = hosts.get(name)
    if (!host) return
    hosts.set(name, {
      ...host,
      servers: host.servers + 1,
      usedVcpus: host.usedVcpus + vcpus,
      usedMemoryMiB: host.usedMemoryMiB + memoryMiB,
      usedDiskGiB: host.usedDiskGiB + diskGiB,
    })
  }
}

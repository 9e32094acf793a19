import type { ServerFlavor } from '../core/server.ts'
import type { Db } from '../db/connect.ts'
import { hostsWithImage } from '../db/host-images.ts'
import { hostPlaces, type HostPlace } from '../db/host-places.ts'
import { addressesByRack } from '../db/racks.ts'
import { Silence } from './silence.ts'

/** What is older is read anew; whoever asks meanwhile has the old page, unless it is older than `mostMs`. */
const freshMs = 1000
/** A host that went is offered for so long at most, and its claim or its agent refuses. */
const mostMs = 5000
/** How addresses are spread over racks is counted anew so often, since it costs the more the more there are; in between it is kept. */
const spreadMs = 30_000

/** All hosts as they were a moment ago. */
export interface Page {
  /** by name; what is expected is written in while the page is held */
  readonly hosts: ReadonlyMap<string, HostPlace>
  /** whether it was read for this question */
  readonly isFresh: boolean
}

interface Reading {
  readonly at: number
  readonly hosts: Map<string, HostPlace>
  readonly images: Map<string, Promise<ReadonlySet<string>>>
  readonly hasRacks: boolean
}

/** Of subnets, the addresses in each rack. */
interface Spread {
  readonly at: number
  readonly subnets: Map<string, Promise<Map<string, number>>>
}

/** What is asked once; a question that failed is asked anew. */
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

function withServer(host: HostPlace, { vcpus, memoryMiB, diskGiB }: ServerFlavor, sign: 1 | -1): HostPlace {
  return {
    ...host,
    servers: host.servers + sign,
    usedVcpus: host.usedVcpus + sign * vcpus,
    usedMemoryMiB: host.usedMemoryMiB + sign * memoryMiB,
    usedDiskGiB: host.usedDiskGiB + sign * diskGiB,
  }
}

/**
 * What a scheduler knows of all hosts, read about once a second however many servers it places. Its own claims are written in at once;
 * those of other schedulers are seen with the next reading, and by the claim itself, which never trusts the book.
 */
export class HostBook {
  readonly #db: Db
  readonly #silence = new Silence()
  /** the last that ended well */
  #page: Reading | null = null
  #reading: Promise<Reading> | null = null
  #begunAt = -Infinity
  #spread: Spread = { at: -Infinity, subnets: new Map() }

  constructor(db: Db) {
    this.#db = db
  }

  async #read(at: number): Promise<Reading> {
    const rows = await hostPlaces(this.#db)
    const heardAt = performance.now()
    const hosts = rows.map((host) => ({ ...host, silentSeconds: this.#silence.of(host, heardAt) }))
    const hasRacks = new Set(hosts.flatMap(({ rack }) => rack ?? [])).size > 1
    return { at, hosts: new Map(hosts.map((host) => [host.name, host])), images: new Map(), hasRacks }
  }

  /** A reading that begins now or has begun since; of those under way the newest. */
  #newer(notBefore: number): Promise<Reading> {
    if (this.#reading && this.#begunAt >= notBefore) return this.#reading
    const begunAt = performance.now()
    const reading = this.#read(begunAt)
    this.#begunAt = begunAt
    this.#reading = reading
    const end = (page: Reading | null): void => {
      if (page && page.at > (this.#page?.at ?? -Infinity)) this.#page = page
      if (this.#reading === reading) this.#reading = null
    }
    reading.then(end, () => end(null))
    return reading
  }

  async #current(): Promise<Reading> {
    const now = performance.now()
    const page = this.#page
    if (!page || page.at < now - mostMs) return await this.#newer(now - mostMs)
    // Whoever needs the page anew learns of a failure by asking for it.
    if (page.at < now - freshMs) this.#newer(-Infinity).catch(() => undefined)
    return page
  }

  /** @param isFresh whether only a reading that begins from now on will do */
  async page({ isFresh }: { readonly isFresh: boolean }): Promise<Page> {
    const asked = performance.now()
    const { at, hosts } = isFresh ? await this.#newer(asked) : await this.#current()
    return { hosts, isFresh: at >= asked }
  }

  /** The hosts that have an image, as of the page. */
  async imageHosts(reference: string): Promise<ReadonlySet<string>> {
    const { images } = await this.#current()
    return await once(images, reference, async () => new Set(await hostsWithImage(this.#db, reference)))
  }

  /** Whether there are racks to choose between. */
  async hasRacks(): Promise<boolean> {
    return (await this.#current()).hasRacks
  }

  #inRacks(subnetId: string): Promise<Map<string, number>> {
    const now = performance.now()
    if (this.#spread.at < now - spreadMs) this.#spread = { at: now, subnets: new Map() }
    return once(this.#spread.subnets, subnetId, () => addressesByRack(this.#db, subnetId))
  }

  /** Addresses of these subnets in each rack. */
  async portsByRack(subnets: readonly string[]): Promise<ReadonlyMap<string, number>> {
    return sumOf(await Promise.all(subnets.map((id) => this.#inRacks(id))))
  }

  /**
   * A place on the host is about to be promised to a server with addresses in these subnets: whoever asks next sees it as taken.
   *
   * @returns what takes that back, when the place was not to be had
   */
  expect(name: string, flavor: ServerFlavor, subnets: readonly string[]): () => void {
    const hosts = this.#page?.hosts
    const rack = hosts?.get(name)?.rack ?? null
    const add = (sign: 1 | -1): void => {
      const host = hosts?.get(name)
      if (host) hosts?.set(name, withServer(host, flavor, sign))
      if (rack !== null) for (const id of subnets) this.#addInRack(id, rack, sign)
    }
    add(1)
    return () => add(-1)
  }

  /** A spread that could not be counted is counted anew by who asks for it. */
  #addInRack(subnetId: string, rack: string, sign: 1 | -1): void {
    this.#inRacks(subnetId).then(
      (inRacks) => inRacks.set(rack, (inRacks.get(rack) ?? 0) + sign),
      () => undefined,
    )
  }
}

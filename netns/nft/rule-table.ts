/** The rules of one host's bridges, as they are wanted and as they are in the kernel. */
import { Nft } from './library.ts'
import { listingOf, type Elements } from './listing.ts'
import { baseLines, sets, type SetWords } from './tables.ts'

/** An element of a set or a map. */
export interface Element {
  readonly set: string
  /** in the words of nft(8), without quotes */
  readonly key: string
  /** '' in a set that is no map */
  readonly value: string
}

/** What belongs to one port, group or device. */
export interface Unit {
  readonly elements: readonly Element[]
  /** chains of family inet, and their rules */
  readonly chains?: ReadonlyMap<string, readonly string[]>
  /** sets of family inet, and their types; their names have a dash */
  readonly sets?: ReadonlyMap<string, string>
}

export const nothing: Unit = { elements: [] }

interface Change {
  readonly units: ReadonlyMap<string, Unit | null>
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

type Touched = ReadonlyMap<string, ReadonlySet<string>>

export class RuleTable {
  readonly owner: string
  readonly #nft: Nft
  readonly #units = new Map<string, Unit>()
  #present: Elements = new Map()
  #chains: ReadonlySet<string> = new Set()
  #sets: ReadonlySet<string> = new Set()
  /** until then what an agent before left is not touched: its guests are not known here yet */
  #isSettled = false
  #queue: Change[] = []
  #running: Promise<void> | null = null

  /** @param netnsPath the namespace that the bridges stand in; null = the host's own */
  constructor(owner: string, netnsPath: string | null) {
    this.owner = owner
    this.#nft = new Nft(netnsPath)
  }

  /** Both tables are there, with the elements that they had. */
  async open(): Promise<void> {
    await this.#nft.change(baseLines(this.owner))
    await this.#read()
  }

  close(): void {
    this.#nft.close()
  }

  /** What the kernel has of our tables now, a text for each. */
  async listing(): Promise<readonly string[]> {
    const families = ['bridge', 'inet']
    return await Promise.all(families.map((family) => this.#nft.list(`list table ${family} ${this.owner}`)))
  }

  /** Values that keys of a map have in the kernel. */
  present(set: string): ReadonlyMap<string, string> {
    return this.#present.get(set) ?? new Map<string, string>()
  }

  /**
   * These units are what is given, null = nothing, when this returns; others are not touched. All changes that wait are one transaction
   * of the kernel's: no packet sees a part of it.
   */
  async set(units: ReadonlyMap<string, Unit | null>): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#queue.push({ units, resolve, reject })
      void this.#drain()
    })
  }

  /** The kernel has all units, and nothing else in our tables: what another agent left, or somebody changed by hand, is gone. */
  async settle(): Promise<void> {
    await this.#running
    this.#isSettled = true
    this.#running = this.#restore()
    try {
      await this.#running
    } finally {
      this.#running = null
    }
    await this.#drain()
  }

  async #drain(): Promise<void> {
    if (this.#running) return
    this.#running = this.#work()
    await this.#running
    this.#running = null
  }

  async #work(): Promise<void> {
    while (this.#queue.length > 0) {
      const batch = this.#queue
      this.#queue = []
      try {
        await this.#apply(batch.map(({ units }) => units))
        for (const { resolve } of batch) resolve()
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    }
  }

  async #apply(changes: readonly ReadonlyMap<string, Unit | null>[]): Promise<void> {
    const touched = new Map<string, Set<string>>()
    const touch = (unit: Unit | undefined): void => {
      for (const { set, key } of unit?.elements ?? []) touched.set(set, (touched.get(set) ?? new Set()).add(key))
    }
    const renewed = new Set<string>()
    for (const [name, unit] of changes.flatMap((one) => [...one])) {
      touch(this.#units.get(name))
      touch(unit ?? undefined)
      if (!sameRules(this.#units.get(name), unit ?? undefined)) renewed.add(name)
      if (unit) this.#units.set(name, unit)
      else this.#units.delete(name)
    }
    try {
      await this.#commit(touched, renewed)
    } catch {
      // The kernel has not what we think: somebody else was there.
      await this.#restore()
    }
  }

  async #restore(): Promise<void> {
    await this.open()
    const known = this.#isSettled ? this.#present : new Map<string, Map<string, string>>()
    const touched = new Map([...known].map(([set, keys]) => [set, new Set(keys.keys())]))
    for (const { elements } of this.#units.values())
      for (const { set, key } of elements) touched.set(set, (touched.get(set) ?? new Set()).add(key))
    await this.#commit(touched, new Set(this.#units.keys()))
  }

  /** @param renewed units whose chains are written anew */
  async #commit(touched: Touched, renewed: ReadonlySet<string>): Promise<void> {
    const chains = new Set([...this.#units.values()].flatMap((unit) => [...(unit.chains?.keys() ?? [])]))
    const dynamic = new Map([...this.#units.values()].flatMap((unit) => [...(unit.sets ?? [])]))
    const here = `inet ${this.owner}`
    const goneChains = this.#isSettled ? [...this.#chains].filter((name) => !chains.has(name)) : []
    const goneSets = this.#isSettled ? [...this.#sets].filter((name) => !dynamic.has(name)) : []
    const wanted = this.#wanted(touched)
    const written = [...renewed].flatMap((name) => [...(this.#units.get(name)?.chains ?? [])])
    const lines = [
      ...[...dynamic]
        .filter(([name]) => !this.#sets.has(name))
        .map(([name, type]) => `add set ${here} ${name} { ${type} }`),
      ...[...chains].filter((name) => !this.#chains.has(name)).map((name) => `add chain ${here} ${name}`),
      ...goneChains.map((name) => `flush chain ${here} ${name}`),
      ...written.flatMap(([name, rules]) => [
        `flush chain ${here} ${name}`,
        ...rules.map((rule) => `add rule ${here} ${name} ${rule}`),
      ]),
      ...[...touched].flatMap(([set, keys]) => this.#elementLines(set, keys, wanted.get(set) ?? new Map(), dynamic)),
      ...goneChains.map((name) => `delete chain ${here} ${name}`),
      ...goneSets.map((name) => `delete set ${here} ${name}`),
    ]
    if (lines.length > 0) await this.#nft.change(lines)
    for (const [set, keys] of wanted) {
      const known = this.#present.get(set) ?? new Map<string, string>()
      for (const key of touched.get(set) ?? []) known.delete(key)
      for (const [key, value] of keys) known.set(key, value)
      this.#present.set(set, known)
    }
    for (const name of goneSets) this.#present.delete(name)
    this.#chains = new Set([...chains, ...(this.#isSettled ? [] : this.#chains)])
    this.#sets = new Set([...dynamic.keys(), ...(this.#isSettled ? [] : this.#sets)])
  }

  /** What is wanted of the touched sets: of those with prefixes all. */
  #wanted(touched: Touched): Elements {
    const wanted: Elements = new Map([...touched.keys()].map((set) => [set, new Map<string, string>()]))
    const whole = new Set([...touched.keys()].filter((set) => this.#isInterval(set)))
    for (const { elements } of this.#units.values())
      for (const { set, key, value } of elements)
        if (touched.get(set)?.has(key) === true || whole.has(set)) wanted.get(set)?.set(key, value)
    return wanted
  }

  #isInterval(set: string): boolean {
    return (
      wordsOf(set)?.isInterval ?? [...this.#units.values()].some((unit) => unit.sets?.get(set)?.includes('interval'))
    )
  }

  #elementLines(
    set: string,
    keys: ReadonlySet<string>,
    wanted: ReadonlyMap<string, string>,
    dynamic: ReadonlyMap<string, string>,
  ): readonly string[] {
    const words = wordsOf(set)
    if (!words && !dynamic.has(set)) return []
    const place = `element ${words?.family ?? 'inet'} ${this.owner} ${set}`
    const quoted = (key: string): string => (words?.isOfDevices === true ? key.replace(/^\S+/, '"$&"') : key)
    const add = (entries: readonly (readonly [string, string])[]): readonly string[] =>
      entries.length === 0
        ? []
        : [
            `add ${place} { ${entries.map(([key, value]) => `${quoted(key)}${value === '' ? '' : ` : ${value}`}`).join(', ')} }`,
          ]
    if (this.#isInterval(set)) return [`flush set ${words?.family ?? 'inet'} ${this.owner} ${set}`, ...add([...wanted])]
    const present = this.#present.get(set) ?? new Map<string, string>()
    const changed = [...wanted].filter(([key, value]) => present.get(key) !== value)
    const gone = [...keys].filter((key) => present.has(key) && present.get(key) !== wanted.get(key))
    return [...(gone.length === 0 ? [] : [`delete ${place} { ${gone.map(quoted).join(', ')} }`]), ...add(changed)]
  }

  async #read(): Promise<void> {
    const { elements, chains, sets: known } = listingOf(await this.listing(), this.owner)
    this.#present = elements
    this.#chains = chains
    this.#sets = known
  }
}

const fixedSets: ReadonlyMap<string, SetWords> = new Map(Object.entries(sets))

function wordsOf(set: string): SetWords | null {
  return fixedSets.get(set) ?? null
}

function sameRules(one: Unit | undefined, other: Unit | undefined): boolean {
  const text = (unit: Unit | undefined): string => JSON.stringify([...(unit?.chains ?? []), ...(unit?.sets ?? [])])
  return text(one) === text(other)
}

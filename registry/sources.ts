/** Where a host pulls an image from: the nearest place that answers. */
import { partsOf, type Registry } from './registry.ts'

const answerMs = 2000
/** A mirror that came or went is noticed this late. */
const freshMs = 30_000

/** One place that an image can be pulled from. */
export interface Source {
  readonly reference: string
  readonly authconfig: { readonly username: string; readonly password: string; readonly serveraddress: string } | null
}

/** @returns milliseconds until it answered; null = it did not in time */
async function distance(registry: Registry): Promise<number | null> {
  const started = performance.now()
  return (await registry.answers(answerMs)) ? performance.now() - started : null
}

/** Of mirrors that answer the quickest is the first; the registry itself, which has everything, is the last. */
export class Sources {
  readonly #registry: Registry
  readonly #mirrors: readonly Registry[]
  #known: { readonly mirrors: readonly Registry[]; readonly at: number } | null = null

  constructor(registry: Registry, mirrors: readonly Registry[]) {
    this.#registry = registry
    this.#mirrors = mirrors
  }

  /** @param reference by digest; another one is left as it is */
  async of(reference: string): Promise<readonly Source[]> {
    const parts = partsOf(reference)
    if (!parts) return [{ reference, authconfig: null }]
    return [...(await this.#nearest()), this.#registry].map(({ address, access: { credentials } }) => ({
      reference: `${address}/${parts.name}@${parts.digest}`,
      authconfig: credentials && {
        username: credentials.user,
        password: credentials.password,
        serveraddress: address,
      },
    }))
  }

  async #nearest(): Promise<readonly Registry[]> {
    if (this.#mirrors.length === 0) return []
    if (this.#known && performance.now() - this.#known.at < freshMs) return this.#known.mirrors
    const measured = await Promise.all(this.#mirrors.map(async (mirror) => ({ mirror, ms: await distance(mirror) })))
    const mirrors = measured
      .flatMap(({ mirror, ms }) => (ms === null ? [] : [{ mirror, ms }]))
      .toSorted((a, b) => a.ms - b.ms)
      .map(({ mirror }) => mirror)
    this.#known = { mirrors, at: performance.now() }
    return mirrors
  }
}

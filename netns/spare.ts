/** Namespaces made in advance: making one takes tens of milliseconds, which a server's boot then does not wait for. */
import { randomUUID } from 'node:crypto'
import { Unavailable } from '../core/errors.ts'
import { ensureNamespace, listSpares, renameNamespace, spareName, type NamespaceSettings } from './namespace.ts'

/** As many as are commonly asked for at once on a machine that boots one guest per core. */
export const usualSpares = 4
/** The machine boots what the last one was taken for, and is left alone meanwhile. */
const restMs = 1000

export class Spares {
  readonly #settings: NamespaceSettings
  readonly #kept: number
  #refill: NodeJS.Timeout | null = null
  #isClosed = false

  /** @param kept how many stand ready */
  constructor(settings: NamespaceSettings, kept = usualSpares) {
    this.#settings = settings
    this.#kept = kept
    this.#refillLater()
  }

  /** Gives one of the spares that name. @returns false when there is none */
  take(name: string): boolean {
    const [spare] = listSpares(this.#settings)
    this.#refillLater()
    if (spare === undefined) return false
    renameNamespace(this.#settings, spare, name)
    return true
  }

  /** No more are made; those that stand serve the next agent. */
  close(): void {
    this.#isClosed = true
    if (this.#refill) clearTimeout(this.#refill)
  }

  #refillLater(): void {
    // Where guests share the host's users a namespace takes no process, and less than a millisecond.
    if (this.#isClosed || this.#kept === 0 || this.#settings.guestRootUid === 0) return
    if (this.#refill) clearTimeout(this.#refill)
    this.#refill = setTimeout(() => void this.#fill(), restMs)
    this.#refill.unref()
  }

  async #fill(): Promise<void> {
    try {
      while (!this.#isClosed && listSpares(this.#settings).length < this.#kept)
        await ensureNamespace(this.#settings, spareName(randomUUID()))
    } catch (error) {
      // Whoever needs one makes it for itself, and says why that fails.
      if (!(error instanceof Unavailable)) throw error
    }
  }
}

/** Who works on what, inside one agent: jobs, exits and reconciliation take turns at a server; starts share a few places. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>()
  readonly #waiting: (() => void)[] = []
  #places: number

  /** @param places how many starts may go on at once */
  constructor(places: number) {
    this.#places = places
  }

  /** Runs `work` when everything begun earlier at this server, or this other thing that is one at a time, has ended. */
  async at<T>(what: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(what) ?? Promise.resolve()
    const mine = before.then(work, work)
    const settled = mine.then(
      () => undefined,
      () => undefined,
    )
    this.#last.set(what, settled)
    try {
      return await mine
    } finally {
      if (this.#last.get(what) === settled) this.#last.delete(what)
    }
  }

  /** Runs `work` in one of the places for starts. */
  async starting<T>(work: () => Promise<T>): Promise<T> {
    if (this.#places > 0) this.#places -= 1
    else await new Promise<void>((go) => this.#waiting.push(go))
    try {
      return await work()
    } finally {
      const next = this.#waiting.shift()
      if (next) next()
      else this.#places += 1
    }
  }
}

/** Begins `work` on each in this order, on so many at once as there are places. */
export async function inOrder<T>(all: readonly T[], places: number, work: (one: T) => Promise<void>): Promise<void> {
  const rest = [...all]
  const takeTurns = async (): Promise<void> => {
    for (let next = rest.shift(); next !== undefined; next = rest.shift()) await work(next)
  }
  await Promise.all(Array.from({ length: Math.min(places, all.length) }, takeTurns))
}

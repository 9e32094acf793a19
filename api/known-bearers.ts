/** Tokens of our own, remembered with whom they stand for. */
import { Together } from '../core/together.ts'
import type { Db } from '../db/connect.ts'
import { changesSeenBy, digestOf, keyOf, learnBearer, type Bearer, type KnownBearer } from '../db/identity/tokens.ts'

/** Who says whom a token stands for: our own identity, or a Keystone in its place. */
export interface Bearers {
  /** null = no such token, or it is over. @throws Unavailable when nobody can say */
  readonly findBearer: (token: string) => Promise<Bearer | null>
  /** whom it stood for when it was last asked of: the very object that `findBearer` returns while nothing has changed */
  readonly remembered: (token: string) => Bearer | null
}

/** Beyond it the one learnt first is forgotten. */
const mostKnown = 2000

/**
 * Whom a token stands for takes a deep look into the database. It is looked up once; each further request asks only whether the token is
 * still there and whether anything at all was changed of who may do what. So what is remembered is never older than the request.
 */
export class KnownBearers implements Bearers {
  readonly #db: Db
  /** the number of changes of who may do what; null when the token is not there, or has expired */
  readonly #changes: Together<Buffer, number | null>
  readonly #known = new Map<string, KnownBearer>()

  constructor(db: Db) {
    this.#db = db
    this.#changes = new Together(async (digests) => {
      const changes = await changesSeenBy(db, digests)
      return (digest) => changes.get(keyOf(digest)) ?? null
    })
  }

  async findBearer(token: string): Promise<Bearer | null> {
    const digest = digestOf(token)
    const key = keyOf(digest)
    const known = this.#known.get(key)
    if (known) {
      const changes = await this.#changes.ask(digest)
      if (changes === known.changes) return known.bearer
      this.#known.delete(key)
      if (changes === null) return null
    }
    const learnt = await learnBearer(this.#db, digest)
    if (learnt) this.#remember(key, learnt)
    return learnt?.bearer ?? null
  }

  remembered(token: string): Bearer | null {
    return this.#known.get(keyOf(digestOf(token)))?.bearer ?? null
  }

  #remember(key: string, bearer: KnownBearer): void {
    this.#known.set(key, bearer)
    const [first] = this.#known.keys()
    if (this.#known.size > mostKnown && first !== undefined) this.#known.delete(first)
  }
}

/** Tokens of our own, remembered with whom they stand for. */
import type { Db } from '../db/connect.ts'
import { changesSeenBy, digestOf, learnBearer, type Bearer, type KnownBearer } from '../db/identity/tokens.ts'

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
  readonly #known = new Map<string, KnownBearer>()

  constructor(db: Db) {
    this.#db = db
  }

  async findBearer(token: string): Promise<Bearer | null> {
    const digest = digestOf(token)
    const key = digest.toString('base64')
    const known = this.#known.get(key)
    if (known) {
      const changes = await changesSeenBy(this.#db, digest)
      if (changes === known.changes) return known.bearer
      this.#known.delete(key)
      if (changes === null) return null
    }
    const learnt = await learnBearer(this.#db, digest)
    if (learnt) this.#remember(key, learnt)
    return learnt?.bearer ?? null
  }

  remembered(token: string): Bearer | null {
    return this.#known.get(digestOf(token).toString('base64'))?.bearer ?? null
  }

  #remember(key: string, bearer: KnownBearer): void {
    this.#known.set(key, bearer)
    const [first] = this.#known.keys()
    if (this.#known.size > mostKnown && first !== undefined) this.#known.delete(first)
  }
}

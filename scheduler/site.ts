import type { Config } from '../core/config.ts'
import type { Db } from '../db/connect.ts'
import { Crowd } from './crowd.ts'
import { HostBook } from './host-book.ts'

/** What a scheduler works with. */
export interface Site {
  readonly db: Db
  readonly config: Config
  readonly book: HostBook
  readonly crowd: Crowd
}

export function openSite(db: Db, config: Config): Site {
  return { db, config, book: new HostBook(db), crowd: new Crowd(db) }
}

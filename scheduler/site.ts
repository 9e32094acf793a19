import type { Config } from '../core/config.ts'
import type { Db } from '../db/connect.ts'
import type { HostBook } from './host-book.ts'

/** What a scheduler works with. */
export interface Site {
  readonly db: Db
  readonly config: Config
  readonly book: HostBook
}

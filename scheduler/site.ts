import type { Config } from '../core/config.ts'
import type { Db } from '../db/connect.ts'

/** What a scheduler works with. */
export interface Site {
  readonly db: Db
  readonly config: Config
}

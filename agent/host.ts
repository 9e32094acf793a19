import type { Logger } from 'pino'
import type { Config } from '../core/config.ts'
import type { Db } from '../db/connect.ts'
import type { ComputeDriver } from '../driver/driver.ts'
import type { HostStrain } from '../driver/strain.ts'
import type { Wires } from '../netns/index.ts'
import type { Registry } from '../registry/registry.ts'
import type { Turns } from './turns.ts'

/** The one machine that this agent answers for, and what it is worked with. */
export interface Host {
  readonly name: string
  readonly config: Config
  readonly db: Db
  readonly driver: ComputeDriver
  readonly registry: Registry
  /** whether the driver keeps a guest to the disk size of its flavor */
  readonly enforcesDisk: boolean
  readonly strain: HostStrain
  readonly wires: Wires
  readonly turns: Turns
  readonly log: Logger
}

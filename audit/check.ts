/** One invariant of a cloud, and how what contradicts it is told and mended. */
import type { Config } from '../core/config.ts'
import type { Db } from '../db/connect.ts'
import type { ComputeDriver, Guest } from '../driver/driver.ts'
import type { Server } from '../core/server.ts'
import type { NamespaceSettings } from '../netns/namespace.ts'
import type { Bridge } from '../netns/bridge.ts'
import type { SeenFlows } from '../netns/flows/seen.ts'
import type { PluggedPort, Wires } from '../netns/index.ts'

/** What the checks look at: the database of the cloud, and the host on which the audit runs. */
export interface Scene {
  readonly config: Config
  readonly db: Db
  readonly driver: ComputeDriver
  readonly wires: Wires
  /** null where guests are plugged into Linux bridges */
  readonly bridge: Bridge | null
  /** what the switch does with the frames of each port, as it says itself; null where it is not Open vSwitch */
  readonly seenFlows: (() => Promise<SeenFlows>) | null
  readonly namespaces: NamespaceSettings
  /** live servers of this host */
  readonly servers: readonly Server[]
  /** servers that moved from this host and may still come back: nothing of theirs is left over */
  readonly leaving: ReadonlySet<string>
  /** every container of this host's engine */
  readonly guests: readonly Guest[]
  /** ports of guests that stand on this host */
  readonly plugged: readonly PluggedPort[]
}

interface Told {
  /** one line, with the ids; the same as long as the drift is the same */
  readonly text: string
}
/** Mending it harms nobody: `repair` makes it as the rows say, and may be called twice. */
export interface Mendable extends Told {
  readonly remedy: string
  readonly repair: () => unknown
}
/** Only a person can say what is right; `advice` says what there is to decide. */
export interface Unmendable extends Told {
  readonly advice: string
}
export type Drift = Mendable | Unmendable

/** One invariant of a cloud. */
export interface Check {
  readonly name: string
  /** the invariant, in words */
  readonly holds: string
  readonly run: (scene: Scene) => Promise<readonly Drift[]>
}

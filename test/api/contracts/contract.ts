/** What a route takes and gives at each microversion. */
import type { Microversion } from '../../../api/microversion.ts'
import type { Part } from './shape.ts'

export interface Contract {
  /** JSON that is taken; none = the route looks at no body */
  readonly takes?: Part
  /** by the status of the reply; all others are faults of the facade's own form */
  readonly gives: Readonly<Record<number, Part>>
  /** not JSON: the bytes of an image, a page for people */
  readonly isRaw?: true
}

/** By method and path as the table of routes has them; actions of servers with their name behind. */
export type Contracts = Readonly<Record<string, Contract>>

/** One request and its reply, as they went over the wire. */
export interface Exchange {
  readonly method: string
  /** with its query */
  readonly url: string
  readonly header: (name: string) => string | undefined
  readonly request: unknown
  readonly status: number
  readonly contentType: string
  readonly body: string
}

/** A contract that was kept once. */
export interface Kept {
  readonly name: string
  readonly version: Microversion
  readonly status: number
}

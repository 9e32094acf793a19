/** What is asked of every host when a server looks for one. */
import type { Server } from '../core/server.ts'
import type { HostPlace } from '../db/host-places.ts'
import type { Neighbours } from './neighbours.ts'

/** What a server asks of its host. */
export type Wish = Pick<
  Server,
  'flavor' | 'failedHosts' | 'requestedHost' | 'pinnedZone' | 'hints' | 'serverGroupId' | 'projectId' | 'imageReference'
> & {
  /** decides between hosts that are equally good */
  readonly lot: string
}

/** All that filters and weighers are asked by. */
export interface Question {
  readonly server: Wish
  readonly neighbours: Neighbours
  /** hosts that have the server's image */
  readonly imageHosts: ReadonlySet<string>
  /** ports of the server's subnets in each rack; empty where there are no racks to choose between */
  readonly portsByRack: ReadonlyMap<string, number>
}

/**
 * Why this host cannot take the server, in words for its owner; null = it can. The question is looked at once, not once per host, and where
 * it refuses no host at all (null) none is asked.
 */
export type Filter = (question: Question) => ((host: HostPlace) => string | null) | null

/** How well each of the hosts that passed would do, from 0 to 1; 1 is best. Asked once for all of them, since some compare. */
export type Weigher = (hosts: readonly HostPlace[], question: Question) => (host: HostPlace) => number

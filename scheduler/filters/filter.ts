import type { HostUse } from '../../db/hosts.ts'
import type { Server } from '../../core/server.ts'
import type { Neighbours } from '../neighbours.ts'

/** What a server asks of its host. */
export type Wish = Pick<Server, 'flavor' | 'failedHosts' | 'requestedHost' | 'pinnedZone' | 'hints' | 'serverGroupId'>

/** Why this host cannot take the server, in words for its owner; null = it can. */
export type Filter = (host: HostUse, server: Wish, neighbours: Neighbours) => string | null

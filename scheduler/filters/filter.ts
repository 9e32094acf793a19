import type { HostUse } from '../../db/hosts.ts'
import type { Server } from '../../core/server.ts'
import type { Neighbours } from '../neighbours.ts'

/** Why this host cannot take the server, in words for its owner; null = it can. */
export type Filter = (host: HostUse, server: Server, neighbours: Neighbours) => string | null

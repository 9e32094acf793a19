import type { HostUse } from '../../db/hosts.ts'
import type { Server } from '../../core/server.ts'

/** Why this host cannot take the server, in words for its owner; null = it can. */
export type Filter = (host: HostUse, server: Server) => string | null

import type { Server } from '../../../core/server.ts'
import type { Call, Reply } from '../../route.ts'

/** One key of the body of POST /servers/{id}/action. */
export type Action = (call: Call, server: Server) => Promise<Reply>

import type { Db } from './connect.ts'

/** Where a host's agent answers, and the secret it asks for. */
export interface Agent {
  readonly url: string
  readonly token: string
}

/** @returns null when the host is unknown, or its agent has not said where it listens */
export async function findAgent(db: Db, host: string): Promise<Agent | null> {
  const row = await db('hosts').where({ name: host }).first('agentUrl', 'agentToken')
  return row?.agentUrl ? { url: row.agentUrl, token: row.agentToken } : null
}

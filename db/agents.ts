import type { Db } from './connect.ts'

/** Where a host's agent answers, and the secret it asks for. */
export interface Agent {
  readonly url: string
  readonly token: string
  /** host:port at which other agents read disks; null = nowhere */
  readonly diskAddress: string | null
}

/** @returns null when the host is unknown, or its agent has not said where it listens */
export async function findAgent(db: Db, host: string): Promise<Agent | null> {
  const row = await db('hosts').where({ name: host }).first('agentUrl', 'agentToken', 'diskAddress')
  return row?.agentUrl ? { url: row.agentUrl, token: row.agentToken, diskAddress: row.diskAddress } : null
}

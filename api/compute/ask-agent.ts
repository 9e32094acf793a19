/** What only a host knows is asked of its agent. */
import { messageOf, Unavailable } from '../../core/errors.ts'
import { findAgent } from '../../db/agents.ts'
import type { Db } from '../../db/connect.ts'

const usualMs = 5000

/**
 * @param what such as 'The console', for the sentence of an error
 * @throws     Unavailable when the host has no agent, or it does not answer
 */
export async function askAgent(
  db: Db,
  host: string,
  { path, what, timeoutMs = usualMs }: { readonly path: string; readonly what: string; readonly timeoutMs?: number },
): Promise<string> {
  const agent = await findAgent(db, host)
  if (!agent) throw new Unavailable(`${what} cannot be read: host ${host} has no agent.`)
  try {
    const response = await fetch(`${agent.url}${path}`, {
      headers: { Authorization: `Bearer ${agent.token}` },
      signal: AbortSignal.timeout(timeoutMs),
    })
    if (!response.ok) throw new Error(`the agent answered ${response.status}`)
    return await response.text()
  } catch (error) {
    throw new Unavailable(`${what} cannot be read now: ${messageOf(error)}`, { cause: error })
  }
}

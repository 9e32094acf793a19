/** The console of a guest, asked of the agent of its host. */
import { z } from 'zod'
import { Conflict, messageOf, Unavailable } from '../../../core/errors.ts'
import { findAgent, type Agent } from '../../../db/agents.ts'
import { parseBody } from '../../body.ts'
import type { Action } from './action.ts'

/** '', null and -1 ask for all of it, as Nova has it. */
const body = z.strictObject({
  'os-getConsoleOutput': z
    .strictObject({
      length: z
        .union([z.literal(''), z.null(), z.coerce.number().int().min(-1)])
        .optional()
        .transform((length) => (typeof length === 'number' && length >= 0 ? length : null)),
    })
    .nullable(),
})

const timeoutMs = 5000

async function read({ url, token }: Agent, serverId: string, lines: number | null): Promise<string> {
  const target = `${url}/servers/${serverId}/console${lines === null ? '' : `?lines=${lines}`}`
  const response = await fetch(target, {
    headers: { Authorization: `Bearer ${token}` },
    signal: AbortSignal.timeout(timeoutMs),
  })
  if (!response.ok) throw new Error(`the agent answered ${response.status}`)
  return await response.text()
}

export const consoleOutput: Action = async ({ db, body: given }, { id, host }) => {
  const lines = parseBody(body, given)['os-getConsoleOutput']?.length ?? null
  if (host === null) throw new Conflict(`Instance ${id} is not ready`)
  const agent = await findAgent(db, host)
  if (!agent) throw new Unavailable(`The console of ${id} cannot be read: host ${host} has no agent.`)
  try {
    return { status: 200, body: { output: await read(agent, id, lines) } }
  } catch (error) {
    throw new Unavailable(`The console of ${id} cannot be read now: ${messageOf(error)}`, { cause: error })
  }
}

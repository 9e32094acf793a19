/** The console of a guest, asked of the agent of its host. */
import { z } from 'zod'
import { Conflict } from '../../../core/errors.ts'
import { parseBody } from '../../body.ts'
import { askAgent } from '../ask-agent.ts'
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

export const consoleOutput: Action = async ({ db, body: given }, { id, host, vmState }) => {
  const lines = parseBody(body, given)['os-getConsoleOutput']?.length ?? null
  if (host === null || vmState === 'building') throw new Conflict(`Instance ${id} is not ready`)
  const path = `/servers/${id}/console${lines === null ? '' : `?lines=${lines}`}`
  const output = await askAgent(db, host, { path, what: `The console of ${id}` })
  // Nova counts lines by their ends: the last of those asked for has none.
  return { status: 200, body: { output: lines === null ? output : output.replace(/\n$/, '') } }
}

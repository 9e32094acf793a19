/** What is said to the supervisor, and what it answers. */
import { connect } from 'node:net'
import { z } from 'zod'
import { Forbidden, hasCode, Unavailable } from '../core/errors.ts'

const partSpec = z.object({
  name: z.string(),
  command: z.array(z.string()).min(1),
  env: z.record(z.string(), z.string()),
  uid: z.number().optional(),
  gid: z.number().optional(),
  log: z.string(),
  stopSignal: z.enum(['SIGTERM', 'SIGINT', 'SIGQUIT']),
  stopTimeoutMs: z.number(),
})
/** A process to be kept running. */
export type PartSpec = z.output<typeof partSpec>

export const request = z.discriminatedUnion('op', [
  z.object({ op: z.literal('start'), part: partSpec }),
  z.object({ op: z.literal('stop'), name: z.string() }),
  z.object({ op: z.literal('status') }),
  z.object({ op: z.literal('exit') }),
])
export type Request = z.output<typeof request>

const partStatus = z.object({ name: z.string(), pid: z.number().nullable(), restarts: z.number(), log: z.string() })
export type PartStatus = z.output<typeof partStatus>
const reply = z.object({ parts: z.array(partStatus) })
export type Reply = z.output<typeof reply>

const replyTimeoutMs = 120_000

/** @throws Unavailable when no supervisor answers, Forbidden when it does not answer this user */
export async function ask(socketPath: string, wanted: Request): Promise<readonly PartStatus[]> {
  const line = await new Promise<string>((resolve, reject) => {
    const client = connect(socketPath)
    const fail = (error: Error): void => {
      client.destroy()
      if (hasCode(error, 'EACCES'))
        reject(new Forbidden(`${socketPath} is root's alone; remedy: the same as root`, { cause: error }))
      reject(new Unavailable(`the supervisor does not answer at ${socketPath}: ${error.message}`, { cause: error }))
    }
    let text = ''
    client.setTimeout(replyTimeoutMs, () => fail(new Error('no reply')))
    client.once('connect', () => client.write(`${JSON.stringify(wanted)}\n`))
    client.on('error', fail)
    client.once('close', () => fail(new Error('it ended without a reply')))
    client.on('data', (chunk) => {
      text += chunk.toString()
      if (!text.includes('\n')) return
      client.end()
      resolve(text)
    })
  })
  const parsed = reply.safeParse(JSON.parse(line))
  if (!parsed.success) throw new Unavailable(`the supervisor refused: ${line.trim()}`)
  return parsed.data.parts
}

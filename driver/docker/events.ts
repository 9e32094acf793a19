/** The ends of guests, out of the engine's stream of events. */
import type Docker from 'dockerode'
import { z } from 'zod'
import { messageOf, Unavailable } from '../../core/errors.ts'
import type { GuestExit } from '../driver.ts'

const dieEvent = z.object({
  id: z.string(),
  Actor: z.object({ Attributes: z.record(z.string(), z.string()) }),
})

function exitOf(line: string, label: string): GuestExit | null {
  const event = dieEvent.parse(JSON.parse(line))
  const { [label]: serverId, exitCode } = event.Actor.Attributes
  return serverId === undefined ? null : { guestId: event.id, serverId, exitCode: Number(exitCode ?? -1) }
}

/**
 * Tells every end of a container that carries `label`, until `signal` aborts.
 *
 * @param docker without a timeout: a quiet hour is no failure
 * @throws Unavailable when the stream breaks
 */
export async function followExits(
  docker: Docker,
  label: string,
  { onExit, signal }: { readonly onExit: (exit: GuestExit) => void; readonly signal: AbortSignal },
): Promise<void> {
  try {
    const filters = JSON.stringify({ type: ['container'], event: ['die'], label: [label] })
    const options = { filters, abortSignal: signal }
    const stream = await docker.getEvents(options)
    stream.setEncoding('utf8')
    let rest = ''
    for await (const text of stream) {
      const lines = `${rest}${String(text)}`.split('\n')
      rest = lines.pop() ?? ''
      for (const exit of lines.filter(Boolean).map((line) => exitOf(line, label))) if (exit) onExit(exit)
    }
    if (!signal.aborted) throw new Error('the stream ended')
  } catch (error) {
    if (!signal.aborted) throw new Unavailable(`Docker's events broke off: ${messageOf(error)}`, { cause: error })
  }
}

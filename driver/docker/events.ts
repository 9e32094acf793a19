/** Starts and ends of guests, out of the engine's stream of events. */
import type Docker from 'dockerode'
import { z } from 'zod'
import { messageOf, Unavailable } from '../../core/errors.ts'
import type { GuestExit } from '../driver.ts'

const lifeEvent = z.object({
  id: z.string(),
  Action: z.enum(['start', 'die']),
  Actor: z.object({ Attributes: z.record(z.string(), z.string()) }),
})

export interface Lives {
  /** the id of a container that has just been started */
  readonly onStart: (guestId: string) => void
  readonly onExit: (exit: GuestExit) => void
}

function tell(line: string, label: string, { onStart, onExit }: Lives): void {
  const { id, Action, Actor } = lifeEvent.parse(JSON.parse(line))
  const { [label]: serverId, exitCode } = Actor.Attributes
  if (serverId === undefined) return
  if (Action === 'start') onStart(id)
  else onExit({ guestId: id, serverId, exitCode: Number(exitCode ?? -1) })
}

/**
 * Tells every start and every end of a container that carries `label`, until `signal` aborts.
 *
 * @param docker without a timeout: a quiet hour is no failure
 * @throws Unavailable when the stream breaks
 */
export async function followLives(
  docker: Docker,
  label: string,
  { signal, ...lives }: Lives & { readonly signal: AbortSignal },
): Promise<void> {
  try {
    const filters = JSON.stringify({ type: ['container'], event: ['start', 'die'], label: [label] })
    const options = { filters, abortSignal: signal }
    const stream = await docker.getEvents(options)
    stream.setEncoding('utf8')
    let rest = ''
    for await (const text of stream) {
      const lines = `${rest}${String(text)}`.split('\n')
      rest = lines.pop() ?? ''
      for (const whole of lines.filter(Boolean)) tell(whole, label, lives)
    }
    if (!signal.aborted) throw new Error('the stream ended')
  } catch (error) {
    if (!signal.aborted) throw new Unavailable(`Docker's events broke off: ${messageOf(error)}`, { cause: error })
  }
}

import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf, Unavailable } from '../core/errors.ts'

/**
 * Tries until `attempt` returns something else than null or false; what it throws counts as not yet.
 *
 * @throws Unavailable with the last error when the time is over
 */
export async function until<T>(what: string, timeoutMs: number, attempt: () => Promise<T | null | false>): Promise<T> {
  const deadline = performance.now() + timeoutMs
  let last = 'not ready'
  for (;;) {
    try {
      const value = await attempt()
      if (value !== null && value !== false) return value
    } catch (error) {
      last = messageOf(error)
    }
    if (performance.now() > deadline)
      throw new Unavailable(`${what} was not ready within ${timeoutMs / 1000} s: ${last}`)
    await sleep(50)
  }
}

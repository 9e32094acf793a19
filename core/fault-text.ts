/** What a service says was wrong, out of its answer. */
import { z } from 'zod'

const message = z.object({ message: z.string() })
/** Each service has its fault under a name of its own: error, NeutronError, badRequest, ... */
const fault = z.record(z.string(), message)

export function reasonIn(text: string): string {
  try {
    const [said] = Object.values(fault.parse(JSON.parse(text)))
    return said?.message ?? text
  } catch {
    // Not the envelope of this service: what it said is shown as it is.
    return text.slice(0, 500)
  }
}

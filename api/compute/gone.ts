import { HttpFault } from '../faults.ts'

/** What Nova had and has no more. */
export function gone(): never {
  throw new HttpFault(410, 'This resource is no longer available. No forwarding address is given.')
}

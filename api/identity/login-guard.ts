/**
 * Guessing passwords is slow: after some failures to log in, a user from that address waits; after many more, an address or a user
 * waits whatever the other is. The counts are in the database, so that more API processes allow no more guesses.
 */
import { CloudError, Unauthenticated } from '../../core/errors.ts'
import { countFailure, failuresOf, forgetFailures } from '../../db/identity/login-failures.ts'
import type { OpenCall } from '../route.ts'

/** How many more failures than of one user from one address are allowed of one user, and from one address. */
const breadth = 10

export class TooManyAttempts extends CloudError {
  readonly retryAfterSeconds: number

  constructor(retryAfterSeconds: number) {
    super('throttled', 'Too many failed attempts to log in: wait, then try again.')
    this.retryAfterSeconds = retryAfterSeconds
  }
}

/** @throws TooManyAttempts when one of the counts is reached */
async function check({ db }: OpenCall, limits: ReadonlyMap<string, number>): Promise<void> {
  const reached = (await failuresOf(db, [...limits.keys()])).filter(
    ({ who, failures }) => failures >= (limits.get(who) ?? Infinity),
  )
  if (reached.length > 0) throw new TooManyAttempts(Math.max(...reached.map(({ secondsLeft }) => secondsLeft)))
}

/**
 * Counts what fails. The check after a success keeps a burst of guesses, all begun before the first of them failed, from having its one
 * right guess answered.
 *
 * @param who     the user in the words of the request
 * @param attempt null = a failure
 * @throws        Unauthenticated, TooManyAttempts
 */
export async function guarded<T>(call: OpenCall, who: string, attempt: () => Promise<T | null>): Promise<T> {
  const { db, config, address } = call
  const pair = `${who} from ${address}`
  const limits = new Map([
    [pair, config.loginFailures],
    [`user ${who}`, config.loginFailures * breadth],
    [`address ${address}`, config.loginFailures * breadth],
  ])
  await check(call, limits)
  const result = await attempt()
  if (result === null) {
    await countFailure(db, [...limits.keys()], config.loginWindowSeconds)
    throw new Unauthenticated()
  }
  await check(call, limits)
  await forgetFailures(db, [pair])
  return result
}

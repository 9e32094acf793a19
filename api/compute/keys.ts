/** Keys of bodies and queries that came or went with a microversion. */
import { Invalid } from '../../core/errors.ts'
import { minorOf, type Microversion } from '../microversion.ts'

/** The microversion that a key came with, and the one that it went with. */
export interface Span {
  readonly since?: `2.${number}`
  readonly until?: `2.${number}`
}

function isKnownAt({ since, until }: Span, version: Microversion): boolean {
  return (since === undefined || version >= minorOf(since)) && (until === undefined || version < minorOf(until))
}

/** @throws Invalid naming the first key that this version does not know */
export function refuseKeys(
  value: Readonly<Record<string, unknown>>,
  spans: Readonly<Record<string, Span>>,
  { version, field }: { readonly version: Microversion; readonly field: string },
): void {
  for (const [key, span] of Object.entries(spans))
    if (Object.hasOwn(value, key) && !isKnownAt(span, version))
      throw new Invalid(
        `Invalid input for field/attribute ${field}. Value: ${key}. ` +
          `Additional properties are not allowed ('${key}' was unexpected)`,
      )
}

/** Nova refuses query parameters that it does not know from 2.75 on, in some lists since they have pages. */
const strictSince: Microversion = 75

/** @throws Invalid naming the first parameter that is not among those known, from `since` on */
export function refuseParameters(
  query: URLSearchParams,
  known: readonly string[],
  version: Microversion,
  since: Microversion = strictSince,
): void {
  if (version < since) return
  const unknown = [...query.keys()].find((name) => !known.includes(name))
  if (unknown !== undefined) throw new Invalid(`Additional properties are not allowed ('${unknown}' was unexpected)`)
}

/** Pages of lists, as Nova cuts them: `limit` and `marker`, and a link to the next page when one is full. */
import { Invalid } from '../core/errors.ts'

/** Nova's max_limit: the most that one reply lists. */
export const maxLimit = 1000

/** Which part of a list is asked for. */
export interface Page {
  readonly limit: number
  readonly marker: string | null
}

/** @throws Invalid when the limit is not a whole number of 0 or more */
export function pageOf(query: URLSearchParams): Page {
  const text = query.get('limit')
  const marker = query.get('marker')
  if (text !== null && !/^\d+$/.test(text)) {
    const what = /^-\d+$/.test(text) ? 'must be non-negative' : 'must be an integer'
    throw new Invalid(`Invalid input for query parameters limit. Value: ${text}. limit ${what}`)
  }
  return { limit: Math.min(text === null ? maxLimit : Number(text), maxLimit), marker: marker === '' ? null : marker }
}

interface Shown {
  readonly root: string
  readonly path: string
  readonly query: URLSearchParams
}

/** Where the next page is, all other parameters kept; null when this one is not full. */
export function nextHref({ root, path, query }: Shown, { limit }: Page, ids: readonly string[]): string | null {
  const last = ids.at(-1)
  if (last === undefined || limit === 0 || ids.length < limit) return null
  const next = new URLSearchParams(query)
  next.set('marker', last)
  return `${root}${path}?${next.toString()}`
}

/** Nova's `servers_links` and the like: absent when there is no next page. */
export function linksField(name: string, href: string | null): Readonly<Record<string, unknown>> {
  return href === null ? {} : { [`${name}_links`]: [{ rel: 'next', href }] }
}

/**
 * What lists are asked for, in Neutron's way: a filter by any field that is shown, given several times for any of the values; order,
 * page and fields.
 */
import { Invalid, NotFound } from '../../core/errors.ts'
import type { Call, Reply } from '../route.ts'
import { fieldsOf, flagOf } from './filters.ts'

type Json = Readonly<Record<string, unknown>>

const notFilters: ReadonlySet<string> = new Set([
  'fields',
  'limit',
  'marker',
  'page_reverse',
  'sort_key',
  'sort_dir',
  'tags',
  'tags-any',
  'not-tags',
  'not-tags-any',
])

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** `fixed_ips=ip_address=10.0.0.4&fixed_ips=subnet_id=...`: for each key, one of the entries has one of its values. */
function matchesEntries(entries: readonly Json[], asked: readonly string[]): boolean {
  const pairs = asked.map((text) => /^([^=]*)=(.*)$/.exec(text)).flatMap((found) => (found ? [found] : []))
  const byKey = Map.groupBy(pairs, ([, key]) => key ?? '')
  return [...byKey].every(([key, wanted]) => {
    const [name, isPart] = key.endsWith('_substr') ? [key.slice(0, -'_substr'.length), true] : [key, false]
    return entries.some((entry) => {
      const value = textOf(entry[name])
      return wanted.some(([, , text = '']) => (isPart ? value.includes(text) : value === text))
    })
  })
}

const yes: readonly string[] = ['1', 'true', 't', 'yes']

function matches(value: unknown, asked: readonly string[]): boolean {
  if (typeof value === 'boolean') return asked.some((text) => yes.includes(text.toLowerCase()) === value)
  if (value === null) return asked.some((text) => ['', 'none', 'null'].includes(text.toLowerCase()))
  if (Array.isArray(value))
    return value.some(isObject) || asked.every((text) => text.includes('='))
      ? matchesEntries(value.filter(isObject), asked)
      : asked.some((text) => value.includes(text))
  return asked.some((text) => text.toLowerCase() === textOf(value).toLowerCase())
}

/** Values of a filter on tags, in one parameter with commas or in several. */
function tagsAsked(query: URLSearchParams, name: string): readonly string[] | null {
  const values = query.getAll(name).flatMap((text) => text.split(','))
  return values.length > 0 ? values : null
}

function hasTags(query: URLSearchParams, { tags }: Json): boolean {
  const present: readonly unknown[] = Array.isArray(tags) ? tags : []
  const isPresent = (tag: string): boolean => present.includes(tag)
  const [all, any] = [tagsAsked(query, 'tags'), tagsAsked(query, 'tags-any')]
  const [notAll, notAny] = [tagsAsked(query, 'not-tags'), tagsAsked(query, 'not-tags-any')]
  return (
    (all === null || all.every(isPresent)) &&
    (any === null || any.some(isPresent)) &&
    !notAll?.every(isPresent) &&
    !notAny?.some(isPresent)
  )
}

function filtered(query: URLSearchParams, views: readonly Json[]): readonly Json[] {
  const names = [...new Set(query.keys())].filter((name) => !notFilters.has(name))
  return views.filter(
    (view) =>
      hasTags(query, view) &&
      names.every((name) => !Object.hasOwn(view, name) || matches(view[name], query.getAll(name))),
  )
}

function compare(one: unknown, other: unknown): number {
  if (typeof one === 'number' && typeof other === 'number') return one - other
  const [a, b] = [textOf(one), textOf(other)]
  return a < b ? -1 : a > b ? 1 : 0
}

/** @throws Invalid when keys and directions do not go together, or a key is no field */
function sorted(query: URLSearchParams, views: readonly Json[]): readonly Json[] {
  const [keys, directions] = [query.getAll('sort_key'), query.getAll('sort_dir')]
  if (directions.length > 0 && directions.length !== keys.length)
    throw new Invalid('The number of sort_keys and sort_dirs must be same')
  if (directions.some((text) => text !== 'asc' && text !== 'desc'))
    throw new Invalid(`The value for sort_dirs must be asc or desc, and is ${directions.join(', ')}`)
  const [sample] = views
  const unknown = keys.filter((key) => sample && !Object.hasOwn(sample, key))
  if (unknown.length > 0) throw new Invalid(`[${unknown.join(', ')}] is invalid attribute for sort_keys`)
  if (keys.length === 0) return views
  return views.toSorted((one, other) => {
    for (const [index, key] of keys.entries()) {
      const order = compare(one[key], other[key])
      if (order !== 0) return directions[index] === 'desc' ? -order : order
    }
    return 0
  })
}

/** None, and 0, = all. @throws Invalid */
function limitOf(query: URLSearchParams): number | null {
  const text = query.get('limit')
  if (text === null || /^0+$/.test(text)) return null
  if (!/^\d+$/.test(text)) throw new Invalid(`Limit must be an integer 0 or greater and not '${text}'`)
  return Number(text)
}

/** What one entry of a list is called: 'Security group' of security_groups. */
function wordOf(key: string): string {
  const one = key.replace(/ies$/, 'y').replace(/s$/, '').replaceAll('_', ' ')
  return `${one.charAt(0).toUpperCase()}${one.slice(1)}`
}

/** @throws NotFound when there is no such marker */
function paged(query: URLSearchParams, key: string, views: readonly Json[]): readonly Json[] {
  const [limit, marker] = [limitOf(query), query.get('marker')]
  const at = marker === null ? -1 : views.findIndex(({ id }) => id === marker)
  if (marker !== null && at < 0) throw new NotFound(wordOf(key), marker)
  if (flagOf(query, 'page_reverse') === true) {
    const before = at < 0 ? views : views.slice(0, at)
    return limit === null ? before : before.slice(-limit)
  }
  return views.slice(at + 1, limit === null ? undefined : at + 1 + limit)
}

function linksOf({ root, path, query }: Call, page: readonly Json[]): readonly Json[] {
  const limit = limitOf(query)
  const isReverse = flagOf(query, 'page_reverse') === true
  if (limit === null) return []
  const href = (marker: unknown, reverse: boolean): string => {
    const next = new URLSearchParams(query)
    next.delete('page_reverse')
    next.set('marker', textOf(marker))
    if (reverse) next.set('page_reverse', 'True')
    return `${root}${path}?${next.toString()}`
  }
  const isFull = page.length >= limit
  const hasMarker = query.has('marker')
  const [first, last] = [page.at(0), page.at(-1)]
  return [
    ...(last && (isReverse ? hasMarker : isFull) ? [{ rel: 'next', href: href(last.id, false) }] : []),
    ...(first && (isReverse ? isFull : hasMarker) ? [{ rel: 'previous', href: href(first.id, true) }] : []),
  ]
}

/** The reply to a list: what fits the query, in its order, its page, its fields. */
export function listed(call: Call, key: string, views: readonly Json[]): Reply {
  const { query } = call
  const page = paged(query, key, sorted(query, filtered(query, views)))
  const links = linksOf(call, page)
  return {
    status: 200,
    body: {
      [key]: page.map((view) => fieldsOf(query, view)),
      ...(links.length > 0 ? { [`${key}_links`]: links } : {}),
    },
  }
}

/** The forms that all replies of the identity API share. */
import { Forbidden, NotFound } from '../../core/errors.ts'
import type { Filter, Like } from '../../db/identity/filter.ts'
import { allow, type Rule } from '../policy.ts'
import type { Call, OpenCall, Reply } from '../route.ts'

export type Json = Readonly<Record<string, unknown>>

export function self({ root }: OpenCall, path: string): { readonly self: string } {
  return { self: `${root}/identity/v3/${path}` }
}

/** @param path where it is asked for, when that is not its name */
export function listReply(call: Call, name: string, entries: readonly Json[], path = name): Reply {
  return { status: 200, body: { [name]: entries, links: { ...self(call, path), next: null, previous: null } } }
}

/** Keystone's times have microseconds. */
export function time(date: Date): string {
  return date.toISOString().replace('Z', '000Z')
}

export class Missing extends NotFound {
  constructor(what: string, id: string) {
    super(`Could not find ${what}:`, id)
    this.message = `Could not find ${what}: ${id}.`
  }
}

/** @throws Missing when there is none */
export function found<T>(row: T | null, what: string, id: string): T {
  if (row === null) throw new Missing(what, id)
  return row
}

/** What is a user's own needs no right; @throws Forbidden for others without the right */
export function allowOwn({ caller }: Call, isOwn: boolean, rule: Rule): void {
  if (!isOwn) allow(caller, rule)
}

/** A token of a domain reaches that domain only. @throws Forbidden */
export function allowIn({ caller }: Call, domainId: string | null): void {
  if (caller.domainId !== null && caller.domainId !== domainId)
    throw new Forbidden('You are not authorized to perform the requested action: it concerns another domain.')
}

function flag(text: string): boolean {
  return !['false', '0', 'no'].includes(text.toLowerCase())
}

function likeOf(column: string, comparison: string, value: string): Like | null {
  const parts = /^(i?)(contains|startswith|endswith)$/.exec(comparison)
  if (!parts) return null
  const escaped = value.replace(/[\\%_]/g, (sign) => `\\${sign}`)
  const before = parts[2] === 'startswith' ? '' : '%'
  const after = parts[2] === 'endswith' ? '' : '%'
  return { column, pattern: `${before}${escaped}${after}`, isCaseBlind: parts[1] === 'i' }
}

function camel(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
}

/**
 * Reads `name=x`, `enabled=false`, `name__contains=x` and the like; what else is asked is ignored, as Keystone does. A token of a domain
 * sees that domain only, where the rows have one.
 *
 * @param names columns of the rows, in the API's words
 */
export function filterOf({ query, caller }: Call, names: readonly string[]): Filter {
  const equal: Record<string, string | boolean> = {}
  const likes: Like[] = []
  for (const [key, value] of query) {
    const [name = '', comparison] = key.split('__')
    if (!names.includes(name)) continue
    // What is no text is like nothing.
    const like = comparison === undefined || name === 'enabled' ? null : likeOf(camel(name), comparison, value)
    if (like) likes.push(like)
    else if (comparison === undefined) equal[camel(name)] = name === 'enabled' ? flag(value) : value
  }
  const reach = caller.domainId !== null && names.includes('domain_id') ? { domainId: caller.domainId } : {}
  return { equal: { ...equal, ...reach }, likes }
}

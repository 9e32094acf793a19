/** What an application credential with access rules may ask for: only what one of them names. */
import type { AccessRule } from '../core/identity.ts'
import { Forbidden } from '../core/errors.ts'

/** Rules name services by their type. */
const types: Readonly<Record<string, string>> = {
  '/identity': 'identity',
  '/compute': 'compute',
  '/image': 'image',
  '/networking': 'network',
  '/placement': 'placement',
}

/** `*` and `{name}` are one part of a path, `**` any number. */
function patternOf(path: string): RegExp {
  const parts = path.split(/(\*\*|\*|\{[^}]*\})/).map((part) => {
    if (part === '**') return '.*'
    if (part === '*' || /^\{.*\}$/.test(part)) return '[^/]+'
    return part.replace(/[\\^$.|?+()[\]]/g, '\\$&')
  })
  return new RegExp(`^${parts.join('')}$`)
}

/** The request that a rule is held against. */
export interface Asked {
  readonly method: string
  /** with the facade's own path before it */
  readonly path: string
}

/** @throws Forbidden when no rule names the request */
export function allowByRules(rules: readonly AccessRule[] | null, { method, path }: Asked): void {
  if (rules === null) return
  const at = /^\/[^/]*/.exec(path)?.[0] ?? ''
  const rest = path.slice(at.length)
  const isNamed = rules.some(
    (rule) => rule.service === types[at] && rule.method === method && patternOf(rule.path).test(rest),
  )
  if (!isNamed) throw new Forbidden('The access rules of the application credential do not allow this request.')
}

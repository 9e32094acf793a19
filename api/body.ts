/** Bodies and queries are parsed with zod; what does not fit is said in Nova's words. */
import type { z } from 'zod'
import { Invalid } from '../core/errors.ts'

type Issue = z.core.$ZodIssue

/** As much of a value as a person reads: user data has 64 KiB. */
const mostShown = 200

function excerpt(text: string): string {
  return text.length <= mostShown ? text : `${text.slice(0, mostShown)}… (${text.length} characters)`
}

function quoted(value: unknown): string {
  if (value === undefined) return 'nothing'
  return excerpt(typeof value === 'string' ? `'${value}'` : JSON.stringify(value))
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (part, key) => (typeof part === 'object' && part !== null ? Reflect.get(part, key) : undefined),
    value,
  )
}

const typeNames: Readonly<Record<string, string>> = { int: 'integer', record: 'object', map: 'object' }

/** jsonschema's sentences, which Nova passes on. */
function sentence(issue: Issue, value: unknown): string {
  switch (issue.code) {
    case 'unrecognized_keys':
      return `Additional properties are not allowed (${issue.keys.map((key) => `'${key}'`).join(', ')} ${issue.keys.length > 1 ? 'were' : 'was'} unexpected)`
    case 'invalid_type':
      return `${quoted(value)} is not of type '${typeNames[issue.expected] ?? issue.expected}'`
    case 'too_small':
      return issue.origin === 'string' || issue.origin === 'array'
        ? `${quoted(value)} is too short`
        : `${quoted(value)} is less than ${issue.inclusive === false ? 'or equal to ' : ''}the minimum of ${String(issue.minimum)}`
    case 'too_big':
      return issue.origin === 'string' || issue.origin === 'array'
        ? `${quoted(value)} is too long, ${String(issue.maximum)} at most`
        : `${quoted(value)} is greater than the maximum of ${String(issue.maximum)}`
    case 'invalid_format':
      return issue.format === 'regex'
        ? `${quoted(value)} does not match '${issue.pattern ?? ''}'`
        : `${quoted(value)} is not a '${issue.format}'`
    case 'invalid_value':
      return `${quoted(value)} is not one of [${issue.values.map((allowed) => quoted(allowed)).join(', ')}]`
    case 'invalid_union':
      return `${quoted(value)} is not valid under any of the given schemas`
    case 'invalid_element':
    case 'invalid_key':
    case 'not_multiple_of':
    case 'custom':
      return issue.message
  }
}

/** Source: nova/api/validation/validators.py, validate. */
function messageFor(issue: Issue, body: unknown): string {
  const value = valueAt(body, issue.path)
  const field = issue.path.at(-1)
  if (issue.code === 'invalid_type' && value === undefined && field !== undefined)
    return withField(
      issue.path.at(-2),
      valueAt(body, issue.path.slice(0, -1)),
      `'${String(field)}' is a required property`,
    )
  return withField(field, value, sentence(issue, value))
}

function withField(field: PropertyKey | undefined, value: unknown, text: string): string {
  if (field === undefined) return text
  const shown = typeof value === 'string' ? value : value === undefined ? 'nothing' : JSON.stringify(value)
  return `Invalid input for field/attribute ${String(field)}. Value: ${excerpt(shown)}. ${text}`
}

/** No body is one that says nothing. @throws Invalid naming the field and what is wrong with it */
export function parseBody<S extends z.ZodType>(schema: S, body: unknown = {}): z.output<S> {
  const result = schema.safeParse(body)
  if (result.success) return result.data
  const [issue] = result.error.issues
  throw new Invalid(issue ? messageFor(issue, body) : 'Malformed request body')
}

/** The query as a record; of a parameter given twice the last one holds. */
export function queryRecord(query: URLSearchParams): Readonly<Record<string, string>> {
  return Object.fromEntries(query)
}

/** @throws Invalid naming the parameter and what is wrong with it */
export function parseQuery<S extends z.ZodType>(schema: S, query: URLSearchParams): z.output<S> {
  return parseBody(schema, queryRecord(query))
}

/** Times in queries. */
import { Invalid } from '../../core/errors.ts'

const isoDate = /^\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?$/i

/** Times without a zone are UTC. @throws Invalid when the parameter is no ISO 8601 time */
export function timeOf(query: URLSearchParams, name: string): Date | null {
  const text = query.get(name)
  if (text === null) return null
  const zoned = /([Tt ][\d:.]+)(Z|[+-]\d\d:?\d\d)$/i.test(text) || !/[Tt ]/.test(text) ? text : `${text}Z`
  const time = new Date(zoned.replace(' ', 'T'))
  if (!isoDate.test(text) || Number.isNaN(time.getTime()))
    throw new Invalid(`Invalid input for query parameters ${name}. Value: ${text}. '${text}' is not a 'date-time'`)
  return time
}

export interface ChangeSpan {
  readonly changesSince: Date | null
  readonly changesBefore: Date | null
}

/**
 * `changes-since` and `changes-before`, where the version has them.
 *
 * @throws Invalid when one is no time, or the span ends before it begins
 */
export function spanIn(
  query: URLSearchParams,
  { since, before }: { readonly since: boolean; readonly before: boolean },
): ChangeSpan {
  const changesSince = since ? timeOf(query, 'changes-since') : null
  const changesBefore = before ? timeOf(query, 'changes-before') : null
  if (changesSince && changesBefore && changesSince > changesBefore)
    throw new Invalid('The value of changes-since must be less than or equal to changes-before.')
  return { changesSince, changesBefore }
}

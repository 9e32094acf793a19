/** What lists of networks and the like are asked for: a filter may be given several times, and then any of the values fits. */

export function valuesOf(query: URLSearchParams, name: string): readonly string[] | null {
  const values = query.getAll(name)
  return values.length > 0 ? values : null
}

export function valueOf(query: URLSearchParams, name: string): string | null {
  return query.get(name)
}

/** Both names that Neutron has for it. */
export function projectFilter(query: URLSearchParams): string | null {
  return query.get('project_id') ?? query.get('tenant_id')
}

export function flagOf(query: URLSearchParams, name: string): boolean | null {
  const text = query.get(name)?.toLowerCase()
  return text === undefined ? null : ['1', 'true', 't', 'yes'].includes(text)
}

type Json = Readonly<Record<string, unknown>>

/** Only the fields asked for with `fields`; all when none is. */
export function fieldsOf(query: URLSearchParams, view: Json): Json {
  const fields = query.getAll('fields')
  return fields.length === 0 ? view : Object.fromEntries(Object.entries(view).filter(([name]) => fields.includes(name)))
}

/** The page that `limit` and `marker` cut out of a list in its order. */
export function pageIn<T extends { readonly id: string }>(query: URLSearchParams, rows: readonly T[]): readonly T[] {
  const marker = query.get('marker')
  const limit = Number(query.get('limit') ?? Number.NaN)
  const from = marker === null ? 0 : rows.findIndex(({ id }) => id === marker) + 1
  return rows.slice(from, Number.isInteger(limit) && limit > 0 ? from + limit : undefined)
}

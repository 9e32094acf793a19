/** Where a pool and what belongs to it stands in the API. */
export function path(...parts: readonly string[]): string {
  return `/ipam/v1/pools${parts.map((part) => `/${encodeURIComponent(part)}`).join('')}`
}

/** '10.0.0.5' or '10.0.0.5-10.0.0.9' */
export function rangeOf(text: string): { readonly first: string; readonly last: string } {
  const [first = '', last = first] = text.split('-')
  return { first, last }
}

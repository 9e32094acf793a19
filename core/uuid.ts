const pattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** Ids from users may be names: clients ask by name first, and expect "not found". */
export function isUuid(text: string): boolean {
  return pattern.test(text)
}

/** The filter of nova that finds servers of exactly this name: it takes a regular expression of Postgres. */
export function exactName(name: string): string {
  return `^${name.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`
}

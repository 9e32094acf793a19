/** Longest label of a hostname: RFC 1035. */
const longest = 63

/** The hostname that a server's name gives. Source: nova/utils.py, sanitize_hostname. */
export function hostnameOf(name: string, id: string): string {
  const plain = name
    .replace(/[^\x20-\x7e]/g, '')
    .slice(0, longest)
    .replace(/[._ ]+/g, '-')
    .replace(/[^\w-]+/g, '')
    .toLowerCase()
    .replace(/^[.-]+|[.-]+$/g, '')
  return plain === '' ? `server-${id}` : plain
}

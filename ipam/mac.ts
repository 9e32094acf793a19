import { randomBytes } from 'node:crypto'

/** OpenStack's prefix: locally administered, unicast. */
const prefix = 'fa:16:3e'

/** A random MAC address; that it is unique, the database sees to (`ports.mac`). */
export function newMac(): string {
  const tail = [...randomBytes(3)].map((byte) => byte.toString(16).padStart(2, '0'))
  return [prefix, ...tail].join(':')
}

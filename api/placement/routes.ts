/** The tree of /placement: what it speaks, and no more; the scheduler keeps its books in the database. */
import type { Route } from '../route.ts'

const versions = [
  { id: 'v1.0', min_version: '1.0', max_version: '1.39', status: 'CURRENT', links: [{ rel: 'self', href: '' }] },
]

export const placementRoutes: readonly Route[] = [
  { method: 'get', path: '/', open: true, run: () => ({ status: 200, body: { versions } }) },
]

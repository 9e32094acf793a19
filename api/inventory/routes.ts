/** The tree of /inventory: hosts, for their operators. */
import type { Route } from '../route.ts'
import * as hosts from './hosts.ts'

export const inventoryRoutes: readonly Route[] = [
  { method: 'get', path: '/v1/hosts', rule: 'inventory:admin', run: hosts.list },
  { method: 'get', path: '/v1/hosts/:host', rule: 'inventory:admin', run: hosts.show },
  { method: 'patch', path: '/v1/hosts/:host', rule: 'inventory:admin', run: hosts.update },
]

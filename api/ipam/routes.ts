/** The tree of /ipam. */
import type { Route } from '../route.ts'
import { document, page } from './document.ts'
import { operations } from './operations.ts'

export const ipamRoutes: readonly Route[] = [
  { method: 'get', path: '/v1', open: true, run: page },
  { method: 'get', path: '/v1/openapi.json', open: true, run: document },
  ...operations.map(({ method, path, run }): Route => ({ method, path, rule: 'ipam:admin', run })),
]

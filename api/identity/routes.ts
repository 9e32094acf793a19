/** The tree of /identity. */
import type { Route } from '../route.ts'
import * as directory from './directory.ts'
import { check, issue, revoke, validate } from './tokens.ts'
import { allVersions, version } from './versions.ts'

const anybody = 'identity:own'
const administrators = 'identity:list_all'

export const identityRoutes: readonly Route[] = [
  { method: 'get', path: '/', open: true, run: allVersions },
  { method: 'get', path: '/v3', open: true, run: version },
  { method: 'get', path: '/v3/', open: true, run: version },
  { method: 'post', path: '/v3/auth/tokens', open: true, run: issue },
  { method: 'head', path: '/v3/auth/tokens', rule: anybody, run: check },
  { method: 'get', path: '/v3/auth/tokens', rule: anybody, run: validate },
  { method: 'delete', path: '/v3/auth/tokens', rule: anybody, run: revoke },
  { method: 'get', path: '/v3/auth/catalog', rule: anybody, run: directory.authCatalog },
  { method: 'get', path: '/v3/auth/projects', rule: anybody, run: directory.projectsOf },
  { method: 'get', path: '/v3/projects', rule: administrators, run: directory.projects },
  { method: 'get', path: '/v3/projects/:id', rule: anybody, run: directory.project },
  { method: 'get', path: '/v3/users', rule: administrators, run: directory.users },
  { method: 'get', path: '/v3/users/:id', rule: anybody, run: directory.user },
  { method: 'get', path: '/v3/users/:id/projects', rule: anybody, run: directory.projectsOf },
  { method: 'get', path: '/v3/roles', rule: administrators, run: directory.roles },
  { method: 'get', path: '/v3/domains', rule: administrators, run: directory.domains },
  { method: 'get', path: '/v3/domains/:id', rule: administrators, run: directory.domain },
  { method: 'get', path: '/v3/services', rule: administrators, run: directory.services },
  { method: 'get', path: '/v3/endpoints', rule: administrators, run: directory.endpoints },
  { method: 'get', path: '/v3/regions', rule: anybody, run: directory.regions },
]

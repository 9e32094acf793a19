/** The tree of /identity. */
import type { Route } from '../route.ts'
import { catalogueRoutes } from './catalogue-routes.ts'
import * as domains from './domains.ts'
import { grantRoutes } from './grants.ts'
import * as projects from './projects.ts'
import * as assignments from './role-assignments.ts'
import * as roles from './roles.ts'
import { check, issue, revoke, validate } from './tokens.ts'
import * as users from './users.ts'
import { allVersions, version } from './versions.ts'

const own = 'identity:own'

const tokenRoutes: readonly Route[] = [
  { method: 'get', path: '/', open: true, run: allVersions },
  { method: 'get', path: '/v3', open: true, run: version },
  { method: 'get', path: '/v3/', open: true, run: version },
  { method: 'post', path: '/v3/auth/tokens', open: true, run: issue },
  { method: 'head', path: '/v3/auth/tokens', rule: own, run: check },
  { method: 'get', path: '/v3/auth/tokens', rule: own, run: validate },
  { method: 'delete', path: '/v3/auth/tokens', rule: own, run: revoke },
  { method: 'get', path: '/v3/auth/projects', rule: own, run: projects.indexOf },
]

const directoryRoutes: readonly Route[] = [
  { method: 'get', path: '/v3/domains', rule: 'identity:list_domains', run: domains.index },
  { method: 'post', path: '/v3/domains', rule: 'identity:create_domain', run: domains.create },
  { method: 'get', path: '/v3/domains/:id', rule: 'identity:get_domain', run: domains.show },
  { method: 'patch', path: '/v3/domains/:id', rule: 'identity:update_domain', run: domains.update },
  { method: 'delete', path: '/v3/domains/:id', rule: 'identity:delete_domain', run: domains.remove },
  { method: 'get', path: '/v3/projects', rule: 'identity:list_projects', run: projects.index },
  { method: 'post', path: '/v3/projects', rule: 'identity:create_project', run: projects.create },
  { method: 'get', path: '/v3/projects/:id', rule: own, run: projects.show },
  { method: 'patch', path: '/v3/projects/:id', rule: 'identity:update_project', run: projects.update },
  { method: 'delete', path: '/v3/projects/:id', rule: 'identity:delete_project', run: projects.remove },
  { method: 'get', path: '/v3/users', rule: 'identity:list_users', run: users.index },
  { method: 'post', path: '/v3/users', rule: 'identity:create_user', run: users.create },
  { method: 'get', path: '/v3/users/:id', rule: own, run: users.show },
  { method: 'patch', path: '/v3/users/:id', rule: 'identity:update_user', run: users.update },
  { method: 'delete', path: '/v3/users/:id', rule: 'identity:delete_user', run: users.remove },
  { method: 'get', path: '/v3/users/:id/projects', rule: own, run: projects.indexOf },
]

const roleRoutes: readonly Route[] = [
  { method: 'get', path: '/v3/roles', rule: 'identity:list_roles', run: roles.index },
  { method: 'post', path: '/v3/roles', rule: 'identity:create_role', run: roles.create },
  { method: 'get', path: '/v3/roles/:id', rule: 'identity:get_role', run: roles.show },
  { method: 'patch', path: '/v3/roles/:id', rule: 'identity:update_role', run: roles.update },
  { method: 'delete', path: '/v3/roles/:id', rule: 'identity:delete_role', run: roles.remove },
  { method: 'get', path: '/v3/role_assignments', rule: 'identity:list_role_assignments', run: assignments.index },
]

export const identityRoutes: readonly Route[] = [
  ...tokenRoutes,
  ...directoryRoutes,
  ...roleRoutes,
  ...grantRoutes,
  ...catalogueRoutes,
]

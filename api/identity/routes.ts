/** The tree of /identity. */
import type { Route } from '../route.ts'
import { catalogueRoutes } from './catalogue-routes.ts'
import * as domains from './domains.ts'
import { grantRoutes } from './grants.ts'
import * as projects from './projects.ts'
import * as assignments from './role-assignments.ts'
import * as places from './places.ts'
import * as implied from './implied-roles.ts'
import * as tags from './project-tags.ts'
import * as roles from './roles.ts'
import { check, issue, revoke, validate } from './tokens.ts'
import { userRoutes } from './user-routes.ts'
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
  { method: 'get', path: '/v3/auth/domains', rule: own, run: places.domains },
  { method: 'get', path: '/v3/auth/system', rule: own, run: places.system },
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
  { method: 'get', path: '/v3/projects/:id/tags', rule: 'identity:list_projects', run: tags.index },
  { method: 'put', path: '/v3/projects/:id/tags', rule: 'identity:update_project', run: tags.replace },
  { method: 'delete', path: '/v3/projects/:id/tags', rule: 'identity:update_project', run: tags.clear },
  { method: 'get', path: '/v3/projects/:id/tags/:tag', rule: 'identity:list_projects', run: tags.check },
  { method: 'head', path: '/v3/projects/:id/tags/:tag', rule: 'identity:list_projects', run: tags.check },
  { method: 'put', path: '/v3/projects/:id/tags/:tag', rule: 'identity:update_project', run: tags.add },
  { method: 'delete', path: '/v3/projects/:id/tags/:tag', rule: 'identity:update_project', run: tags.remove },
]

const roleRoutes: readonly Route[] = [
  { method: 'get', path: '/v3/roles', rule: 'identity:list_roles', run: roles.index },
  { method: 'post', path: '/v3/roles', rule: 'identity:create_role', run: roles.create },
  { method: 'get', path: '/v3/roles/:id', rule: 'identity:get_role', run: roles.show },
  { method: 'patch', path: '/v3/roles/:id', rule: 'identity:update_role', run: roles.update },
  { method: 'delete', path: '/v3/roles/:id', rule: 'identity:delete_role', run: roles.remove },
  { method: 'get', path: '/v3/roles/:id/implies', rule: 'identity:list_implied_roles', run: implied.index },
  { method: 'head', path: '/v3/roles/:id/implies/:implied', rule: 'identity:list_implied_roles', run: implied.check },
  { method: 'get', path: '/v3/roles/:id/implies/:implied', rule: 'identity:list_implied_roles', run: implied.show },
  { method: 'put', path: '/v3/roles/:id/implies/:implied', rule: 'identity:create_implied_role', run: implied.create },
  {
    method: 'delete',
    path: '/v3/roles/:id/implies/:implied',
    rule: 'identity:delete_implied_role',
    run: implied.remove,
  },
  { method: 'get', path: '/v3/role_inferences', rule: 'identity:list_implied_roles', run: implied.inferences },
  { method: 'get', path: '/v3/role_assignments', rule: 'identity:list_role_assignments', run: assignments.index },
]

export const identityRoutes: readonly Route[] = [
  ...tokenRoutes,
  ...directoryRoutes,
  ...userRoutes,
  ...roleRoutes,
  ...grantRoutes,
  ...catalogueRoutes,
]

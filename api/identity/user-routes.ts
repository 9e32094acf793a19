/** What hangs on a user: its groups, its password, its application credentials; and groups. */
import type { Route } from '../route.ts'
import * as credentials from './application-credentials.ts'
import * as groups from './groups.ts'
import { changePassword } from './password.ts'
import * as projects from './projects.ts'
import * as users from './users.ts'

const own = 'identity:own'

const members: readonly Route[] = [
  { method: 'get', path: '/v3/groups/:id/users', rule: 'identity:list_users', run: groups.members },
  { method: 'get', path: '/v3/groups/:id/users/:user', rule: 'identity:list_users', run: groups.checkMember },
  { method: 'head', path: '/v3/groups/:id/users/:user', rule: 'identity:list_users', run: groups.checkMember },
  { method: 'put', path: '/v3/groups/:id/users/:user', rule: 'identity:update_group', run: groups.addMember },
  { method: 'delete', path: '/v3/groups/:id/users/:user', rule: 'identity:update_group', run: groups.removeMember },
]

const ofUser: readonly Route[] = [
  { method: 'get', path: '/v3/users/:id/projects', rule: own, run: projects.indexOf },
  { method: 'get', path: '/v3/users/:id/groups', rule: own, run: groups.indexOf },
  { method: 'post', path: '/v3/users/:id/password', open: true, run: changePassword },
  { method: 'get', path: '/v3/users/:user/application_credentials', rule: own, run: credentials.index },
  { method: 'post', path: '/v3/users/:user/application_credentials', rule: own, run: credentials.create },
  { method: 'get', path: '/v3/users/:user/application_credentials/:id', rule: own, run: credentials.show },
  { method: 'delete', path: '/v3/users/:user/application_credentials/:id', rule: own, run: credentials.remove },
  { method: 'get', path: '/v3/users/:user/access_rules', rule: own, run: credentials.accessRules },
  { method: 'get', path: '/v3/users/:user/access_rules/:id', rule: own, run: credentials.accessRuleOf },
  { method: 'delete', path: '/v3/users/:user/access_rules/:id', rule: own, run: credentials.removeAccessRule },
]

export const userRoutes: readonly Route[] = [
  { method: 'get', path: '/v3/users', rule: 'identity:list_users', run: users.index },
  { method: 'post', path: '/v3/users', rule: 'identity:create_user', run: users.create },
  { method: 'get', path: '/v3/users/:id', rule: own, run: users.show },
  { method: 'patch', path: '/v3/users/:id', rule: 'identity:update_user', run: users.update },
  { method: 'delete', path: '/v3/users/:id', rule: 'identity:delete_user', run: users.remove },
  ...ofUser,
  { method: 'get', path: '/v3/groups', rule: 'identity:list_groups', run: groups.index },
  { method: 'post', path: '/v3/groups', rule: 'identity:create_group', run: groups.create },
  { method: 'get', path: '/v3/groups/:id', rule: 'identity:get_group', run: groups.show },
  { method: 'patch', path: '/v3/groups/:id', rule: 'identity:update_group', run: groups.update },
  { method: 'delete', path: '/v3/groups/:id', rule: 'identity:delete_group', run: groups.remove },
  ...members,
]

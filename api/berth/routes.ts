/** The tree of /berth: what this cloud has beyond OpenStack's services. */
import type { Route } from '../route.ts'
import * as backupPolicies from './backup-policies.ts'
import * as hosts from './hosts.ts'
import * as images from './images.ts'
import * as joining from './join.ts'

const policies = '/v1/backup-policies'

export const berthRoutes: readonly Route[] = [
  { method: 'get', path: policies, rule: 'berth:get_backup_policy', run: backupPolicies.index },
  { method: 'put', path: policies, rule: 'berth:set_backup_policy', run: backupPolicies.set },
  { method: 'get', path: `${policies}/:id`, rule: 'berth:get_backup_policy', run: backupPolicies.show },
  { method: 'delete', path: `${policies}/:id`, rule: 'berth:set_backup_policy', run: backupPolicies.remove },
  { method: 'get', path: '/v1/hosts', rule: 'berth:hosts', run: hosts.list },
  { method: 'get', path: '/v1/hosts/:host', rule: 'berth:hosts', run: hosts.show },
  { method: 'patch', path: '/v1/hosts/:host', rule: 'berth:hosts', run: hosts.update },
  { method: 'get', path: '/v1/images', rule: 'berth:place_images', run: images.index },
  { method: 'post', path: '/v1/images/sweep', rule: 'berth:place_images', run: images.sweep },
  { method: 'post', path: '/v1/images/:id/cache', rule: 'berth:place_images', run: images.cache },
  { method: 'delete', path: '/v1/images/:id/cache', rule: 'berth:place_images', run: images.forget },
  { method: 'get', path: '/v1/images/:id/archive', rule: 'download_image', run: images.archive },
  { method: 'post', path: '/v1/join-tokens', rule: 'berth:hosts', run: joining.createToken },
  // Its token is its right.
  { method: 'post', path: '/v1/join', open: true, run: joining.join },
]

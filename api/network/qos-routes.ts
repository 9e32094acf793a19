/** The part of the tree that limits ports. */
import type { Route } from '../route.ts'
import * as policies from './qos-policies.ts'
import * as rules from './qos-rules.ts'

const all = '/v2.0/qos/policies'
const limits = `${all}/:id/bandwidth_limit_rules`

export const qosRoutes: readonly Route[] = [
  { method: 'get', path: all, rule: 'get_policy', run: policies.index },
  { method: 'post', path: all, rule: 'create_policy', run: policies.create },
  { method: 'get', path: `${all}/:id`, rule: 'get_policy', run: policies.show },
  { method: 'put', path: `${all}/:id`, rule: 'update_policy', run: policies.update },
  { method: 'delete', path: `${all}/:id`, rule: 'delete_policy', run: policies.remove },
  { method: 'get', path: limits, rule: 'get_policy', run: rules.index },
  { method: 'post', path: limits, rule: 'update_policy', run: rules.create },
  { method: 'get', path: `${limits}/:rule`, rule: 'get_policy', run: rules.show },
  { method: 'put', path: `${limits}/:rule`, rule: 'update_policy', run: rules.update },
  { method: 'delete', path: `${limits}/:rule`, rule: 'update_policy', run: rules.remove },
  { method: 'get', path: '/v2.0/qos/rule-types', rule: 'get_policy', run: rules.types },
  { method: 'get', path: '/v2.0/qos/rule-types/:type', rule: 'update_policy', run: rules.showType },
]

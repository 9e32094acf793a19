/** The tree of /networking. */
import type { Route } from '../route.ts'
import * as agents from './agents.ts'
import * as extensions from './extensions.ts'
import * as networks from './networks.ts'
import * as portTrace from './port-trace.ts'
import * as ports from './ports.ts'
import * as groups from './security-groups.ts'
import * as rules from './security-group-rules.ts'
import { qosRoutes } from './qos-routes.ts'
import * as quotas from './quotas.ts'
import * as subnets from './subnets.ts'
import { tagRoutes } from './tags.ts'

export const networkRoutes: readonly Route[] = [
  { method: 'get', path: '/', open: true, run: extensions.allVersions },
  { method: 'get', path: '/v2.0', open: true, run: extensions.version },
  { method: 'get', path: '/v2.0/', open: true, run: extensions.version },
  { method: 'get', path: '/v2.0/extensions', rule: 'get_extension', run: extensions.index },
  { method: 'get', path: '/v2.0/extensions/:alias', rule: 'get_extension', run: extensions.show },
  { method: 'get', path: '/v2.0/networks', rule: 'get_network', run: networks.index },
  { method: 'post', path: '/v2.0/networks', rule: 'create_network', run: networks.create },
  { method: 'get', path: '/v2.0/networks/:id', rule: 'get_network', run: networks.show },
  { method: 'put', path: '/v2.0/networks/:id', rule: 'update_network', run: networks.update },
  { method: 'delete', path: '/v2.0/networks/:id', rule: 'delete_network', run: networks.remove },
  { method: 'get', path: '/v2.0/subnets', rule: 'get_subnet', run: subnets.index },
  { method: 'post', path: '/v2.0/subnets', rule: 'create_subnet', run: subnets.create },
  { method: 'get', path: '/v2.0/subnets/:id', rule: 'get_subnet', run: subnets.show },
  { method: 'put', path: '/v2.0/subnets/:id', rule: 'update_subnet', run: subnets.update },
  { method: 'delete', path: '/v2.0/subnets/:id', rule: 'delete_subnet', run: subnets.remove },
  { method: 'get', path: '/v2.0/ports', rule: 'get_port', run: ports.index },
  { method: 'post', path: '/v2.0/ports', rule: 'create_port', run: ports.create },
  { method: 'get', path: '/v2.0/ports/:id', rule: 'get_port', run: ports.show },
  { method: 'get', path: '/v2.0/ports/:id/state', rule: 'get_port:state', run: portTrace.state },
  { method: 'get', path: '/v2.0/ports/:id/trace', rule: 'get_port:state', run: portTrace.trace },
  { method: 'put', path: '/v2.0/ports/:id', rule: 'update_port', run: ports.update },
  { method: 'delete', path: '/v2.0/ports/:id', rule: 'delete_port', run: ports.remove },
  { method: 'get', path: '/v2.0/security-groups', rule: 'get_security_group', run: groups.index },
  { method: 'post', path: '/v2.0/security-groups', rule: 'create_security_group', run: groups.create },
  { method: 'get', path: '/v2.0/security-groups/:id', rule: 'get_security_group', run: groups.show },
  { method: 'put', path: '/v2.0/security-groups/:id', rule: 'update_security_group', run: groups.update },
  { method: 'delete', path: '/v2.0/security-groups/:id', rule: 'delete_security_group', run: groups.remove },
  { method: 'get', path: '/v2.0/security-group-rules', rule: 'get_security_group_rule', run: rules.index },
  { method: 'post', path: '/v2.0/security-group-rules', rule: 'create_security_group_rule', run: rules.create },
  { method: 'get', path: '/v2.0/security-group-rules/:id', rule: 'get_security_group_rule', run: rules.show },
  { method: 'delete', path: '/v2.0/security-group-rules/:id', rule: 'delete_security_group_rule', run: rules.remove },
  { method: 'get', path: '/v2.0/quotas', rule: 'get_quota:others', run: quotas.index },
  { method: 'get', path: '/v2.0/quotas/tenant', rule: 'get_quota', run: quotas.tenant },
  { method: 'get', path: '/v2.0/quotas/project', rule: 'get_quota', run: quotas.tenant },
  { method: 'get', path: '/v2.0/quotas/:project', rule: 'get_quota', run: quotas.show },
  { method: 'put', path: '/v2.0/quotas/:project', rule: 'update_quota', run: quotas.update },
  { method: 'delete', path: '/v2.0/quotas/:project', rule: 'delete_quota', run: quotas.remove },
  { method: 'get', path: '/v2.0/quotas/:project/default', rule: 'get_quota', run: quotas.defaults },
  { method: 'get', path: '/v2.0/quotas/:project/details', rule: 'get_quota', run: quotas.details },
  { method: 'get', path: '/v2.0/quotas/:project/details.json', rule: 'get_quota', run: quotas.details },
  { method: 'get', path: '/v2.0/availability_zones', rule: 'get_availability_zone', run: agents.zones },
  { method: 'get', path: '/v2.0/agents', rule: 'get_agent', run: agents.index },
  ...extensions.absentRoutes,
  ...qosRoutes,
  ...tagRoutes,
]

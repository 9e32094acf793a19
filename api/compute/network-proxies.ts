/** Nova's view of the network, which ends with 2.36; clients ask Neutron since. */
import type { Route } from '../route.ts'
import { gone } from './gone.ts'
import * as networks from './networks.ts'
import * as groups from './security-groups.ts'

const may = {
  list: 'os_compute_api:os-security-groups:list',
  show: 'os_compute_api:os-security-groups:get',
  create: 'os_compute_api:os-security-groups:create',
  update: 'os_compute_api:os-security-groups:update',
  remove: 'os_compute_api:os-security-groups:delete',
  createRule: 'os_compute_api:os-security-groups:rule:create',
  removeRule: 'os_compute_api:os-security-groups:rule:delete',
  networks: 'os_compute_api:os-networks:list',
  tenantNetworks: 'os_compute_api:os-tenant-networks:list',
} as const

const routes: readonly Route[] = [
  { method: 'get', path: '/v2.1/os-security-groups', rule: may.list, run: groups.index },
  { method: 'post', path: '/v2.1/os-security-groups', rule: may.create, run: groups.create },
  { method: 'get', path: '/v2.1/os-security-groups/:id', rule: may.show, run: groups.show },
  { method: 'put', path: '/v2.1/os-security-groups/:id', rule: may.update, run: groups.update },
  { method: 'delete', path: '/v2.1/os-security-groups/:id', rule: may.remove, run: groups.remove },
  { method: 'post', path: '/v2.1/os-security-group-rules', rule: may.createRule, run: groups.createRule },
  { method: 'delete', path: '/v2.1/os-security-group-rules/:id', rule: may.removeRule, run: groups.removeRule },
  { method: 'get', path: '/v2.1/os-networks', rule: may.networks, run: networks.index },
  { method: 'post', path: '/v2.1/os-networks', rule: may.networks, run: gone },
  { method: 'get', path: '/v2.1/os-networks/:id', rule: may.networks, run: networks.show },
  { method: 'delete', path: '/v2.1/os-networks/:id', rule: may.networks, run: gone },
  { method: 'get', path: '/v2.1/os-tenant-networks', rule: may.tenantNetworks, run: networks.tenantIndex },
  { method: 'post', path: '/v2.1/os-tenant-networks', rule: may.tenantNetworks, run: gone },
  { method: 'get', path: '/v2.1/os-tenant-networks/:id', rule: may.tenantNetworks, run: networks.tenantShow },
  { method: 'delete', path: '/v2.1/os-tenant-networks/:id', rule: may.tenantNetworks, run: gone },
]

export const networkProxyRoutes: readonly Route[] = routes.map((route) => ({ ...route, until: '2.36' }))

/**
 * Who may do what: the least role in the project of the token. An admin may do all, in every project; others only see what is their
 * own project's. The names are Nova's, Neutron's, Glance's and Keystone's own, so that an operator knows them.
 */
import { Forbidden } from '../core/errors.ts'
import type { Caller } from './caller.ts'

const policy = {
  'os_compute_api:servers:index': 'reader',
  'os_compute_api:servers:index:get_all_tenants': 'admin',
  'os_compute_api:servers:show': 'reader',
  'os_compute_api:servers:create': 'member',
  'os_compute_api:servers:create:forced_host': 'admin',
  'os_compute_api:servers:update': 'member',
  'os_compute_api:servers:delete': 'member',
  'os_compute_api:servers:start': 'member',
  'os_compute_api:servers:stop': 'member',
  'os_compute_api:servers:reboot': 'member',
  'os_compute_api:os-pause-server:pause': 'member',
  'os_compute_api:os-pause-server:unpause': 'member',
  'os_compute_api:os-suspend-server:suspend': 'member',
  'os_compute_api:os-suspend-server:resume': 'member',
  'os_compute_api:os-lock-server:lock': 'member',
  'os_compute_api:os-lock-server:unlock': 'member',
  'os_compute_api:servers:show:host_status': 'admin',
  'os_compute_api:os-extended-server-attributes': 'admin',
  'os_compute_api:os-lock-server:unlock:unlock_override': 'admin',
  'os_compute_api:os-console-output': 'member',
  'os_compute_api:server-metadata:index': 'reader',
  'os_compute_api:server-metadata:update': 'member',
  'os_compute_api:ips:index': 'reader',
  'os_compute_api:os-attach-interfaces:list': 'reader',
  'os_compute_api:os-security-groups:list': 'reader',
  'os_compute_api:os-instance-actions:list': 'reader',
  'os_compute_api:os-instance-actions:events:details': 'admin',
  'os_compute_api:flavors': 'reader',
  'os_compute_api:flavors:private': 'admin',
  'os_compute_api:os-flavor-manage:create': 'admin',
  'os_compute_api:os-flavor-manage:update': 'admin',
  'os_compute_api:os-flavor-manage:delete': 'admin',
  'os_compute_api:os-flavor-access': 'admin',
  'os_compute_api:os-flavor-extra-specs:update': 'admin',
  'os_compute_api:os-keypairs': 'reader',
  'os_compute_api:os-keypairs:others': 'admin',
  'os_compute_api:limits': 'reader',
  'os_compute_api:limits:other_project': 'admin',
  'os_compute_api:os-quota-sets:show': 'reader',
  'os_compute_api:os-quota-sets:other_project': 'admin',
  'os_compute_api:os-quota-sets:update': 'admin',
  'os_compute_api:os-quota-sets:delete': 'admin',
  'os_compute_api:os-quota-class-sets:show': 'admin',
  'os_compute_api:os-quota-class-sets:update': 'admin',
  'os_compute_api:os-availability-zone:list': 'reader',
  'os_compute_api:os-availability-zone:detail': 'admin',
  'os_compute_api:os-hypervisors:list': 'admin',
  'os_compute_api:os-services:list': 'admin',
  'os_compute_api:extensions': 'reader',
  get_image: 'reader',
  get_network: 'reader',
  create_network: 'member',
  'create_network:shared': 'admin',
  'create_network:provider:segmentation_id': 'admin',
  delete_network: 'member',
  get_subnet: 'reader',
  create_subnet: 'member',
  delete_subnet: 'member',
  get_port: 'reader',
  create_port: 'member',
  delete_port: 'member',
  'get_port:binding': 'admin',
  get_security_group: 'reader',
  create_security_group: 'member',
  update_security_group: 'member',
  delete_security_group: 'member',
  'delete_security_group:default': 'admin',
  get_security_group_rule: 'reader',
  create_security_group_rule: 'member',
  delete_security_group_rule: 'member',
  get_tags: 'reader',
  update_tags: 'member',
  get_extension: 'reader',
  get_quota: 'reader',
  'get_quota:others': 'admin',
  update_quota: 'admin',
  delete_quota: 'admin',
  get_floatingip: 'reader',
  'ipam:admin': 'admin',
  'identity:list_all': 'admin',
  'identity:own': 'any',
} as const satisfies Record<string, Role | 'any'>

/** Each includes those after it. */
const roles = ['admin', 'member', 'reader'] as const
export type Role = (typeof roles)[number]
export type Rule = keyof typeof policy

/** A caller of one of these roles, or of a greater one. */
export function isAllowed(caller: Caller, rule: Rule): boolean {
  const least = policy[rule]
  if (least === 'any') return true
  return roles.slice(0, roles.indexOf(least) + 1).some((role) => caller.roles.includes(role))
}

/** @throws Forbidden */
export function allow(caller: Caller, rule: Rule): void {
  if (!isAllowed(caller, rule)) throw new Forbidden(`Policy doesn't allow ${rule} to be performed.`)
}

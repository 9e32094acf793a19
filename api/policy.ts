/**
 * Who may do what: the least role in the project of the token. An admin may do all, in every project; others only see what is their
 * own project's. The names are Nova's, Neutron's, Glance's and Keystone's own, so that an operator knows them.
 *
 * A rule that names a role alone holds for tokens of a project, and 'admin' for those of the whole cloud (system scope) too. A rule
 * with several words says the least role for each scope; a token of a domain sees and changes that domain only. What a user does with
 * its own (password, application credentials, projects, tokens) needs no role: 'any'.
 */
import { Forbidden } from '../core/errors.ts'
import type { Caller } from './caller.ts'

/** Each includes those after it. */
const roles = ['admin', 'member', 'reader'] as const
export type Role = (typeof roles)[number]
export const scopes = ['project', 'domain', 'system'] as const
export type Scope = (typeof scopes)[number]
/** A scope that is not named may never. */
type Least = Role | 'any' | Readonly<Partial<Record<Scope, Role>>>

const seen = { project: 'admin', domain: 'reader', system: 'reader' } as const
const governed = { project: 'admin', domain: 'admin', system: 'admin' } as const

export const policy = {
  'os_compute_api:servers:index': 'reader',
  'os_compute_api:servers:index:get_all_tenants': 'admin',
  'os_compute_api:servers:show': 'reader',
  'os_compute_api:servers:create': 'member',
  'os_compute_api:servers:create:forced_host': 'admin',
  'os_compute_api:servers:create:requested_destination': 'admin',
  'os_compute_api:servers:update': 'member',
  'os_compute_api:servers:delete': 'member',
  'os_compute_api:servers:start': 'member',
  'os_compute_api:servers:stop': 'member',
  'os_compute_api:servers:reboot': 'member',
  'os_compute_api:os-pause-server:pause': 'member',
  'os_compute_api:os-pause-server:unpause': 'member',
  'os_compute_api:os-suspend-server:suspend': 'member',
  'os_compute_api:os-suspend-server:resume': 'member',
  'os_compute_api:servers:resize': 'member',
  'os_compute_api:servers:confirm_resize': 'member',
  'os_compute_api:servers:revert_resize': 'member',
  'os_compute_api:os-admin-password': 'member',
  'os_compute_api:os-admin-actions:reset_state': 'admin',
  'os_compute_api:os-admin-actions:inject_network_info': 'admin',
  'os_compute_api:os-admin-actions:reset_network': 'admin',
  'os_compute_api:os-deferred-delete:force': 'member',
  'os_compute_api:os-deferred-delete:restore': 'member',
  'os_compute_api:os-server-diagnostics': 'admin',
  'os_compute_api:os-server-password:show': 'reader',
  'os_compute_api:os-server-password:clear': 'member',
  'os_compute_api:os-remote-consoles': 'member',
  'os_compute_api:os-migrate-server:migrate': 'admin',
  'os_compute_api:os-migrate-server:migrate_live': 'admin',
  'os_compute_api:os-evacuate': 'admin',
  'os_compute_api:servers:trigger_crash_dump': 'member',
  'os_compute_api:os-lock-server:lock': 'member',
  'os_compute_api:os-lock-server:unlock': 'member',
  'os_compute_api:servers:create_image': 'member',
  'os_compute_api:os-create-backup': 'member',
  'os_compute_api:servers:rebuild': 'member',
  'os_compute_api:os-rescue': 'member',
  'os_compute_api:os-unrescue': 'member',
  'os_compute_api:os-shelve:shelve': 'member',
  'os_compute_api:os-shelve:shelve_offload': 'admin',
  'os_compute_api:os-shelve:unshelve': 'member',
  'os_compute_api:os-shelve:unshelve_to_host': 'admin',
  'os_compute_api:servers:show:host_status': 'admin',
  'os_compute_api:os-extended-server-attributes': 'admin',
  'os_compute_api:os-lock-server:unlock:unlock_override': 'admin',
  'os_compute_api:os-console-output': 'member',
  'os_compute_api:server-metadata:index': 'reader',
  'os_compute_api:server-metadata:update': 'member',
  'os_compute_api:ips:index': 'reader',
  'os_compute_api:os-attach-interfaces:list': 'reader',
  'os_compute_api:os-attach-interfaces:create': 'member',
  'os_compute_api:os-attach-interfaces:delete': 'member',
  'os_compute_api:os-multinic': 'member',
  'os_compute_api:os-security-groups:list': 'reader',
  'os_compute_api:os-security-groups:get': 'reader',
  'os_compute_api:os-security-groups:create': 'member',
  'os_compute_api:os-security-groups:update': 'member',
  'os_compute_api:os-security-groups:delete': 'member',
  'os_compute_api:os-security-groups:rule:create': 'member',
  'os_compute_api:os-security-groups:rule:delete': 'member',
  'os_compute_api:os-security-groups:add': 'member',
  'os_compute_api:os-security-groups:remove': 'member',
  'os_compute_api:os-networks:list': 'reader',
  'os_compute_api:os-tenant-networks:list': 'reader',
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
  'os_compute_api:os-services:update': 'admin',
  'os_compute_api:os-services:delete': 'admin',
  'os_compute_api:os-hosts': 'admin',
  'os_compute_api:os-aggregates': 'admin',
  'os_compute_api:os-server-groups:show': 'reader',
  'os_compute_api:os-server-groups:create': 'member',
  'os_compute_api:os-server-groups:delete': 'member',
  'os_compute_api:os-server-tags:show': 'reader',
  'os_compute_api:os-server-tags:update': 'member',
  'os_compute_api:os-migrations:index': 'admin',
  'compute:server:topology:index': 'reader',
  'os_compute_api:os-instance-usage-audit-log': 'admin',
  'os_compute_api:os-simple-tenant-usage:show': 'reader',
  'os_compute_api:os-simple-tenant-usage:list': 'admin',
  'os_compute_api:os-server-external-events:create': 'admin',
  'os_compute_api:extensions': 'reader',
  get_image: 'reader',
  add_image: 'member',
  modify_image: 'member',
  delete_image: 'member',
  download_image: 'reader',
  upload_image: 'member',
  publicize_image: 'admin',
  communitize_image: 'member',
  deactivate: 'admin',
  reactivate: 'admin',
  get_members: 'reader',
  add_member: 'member',
  modify_member: 'member',
  delete_member: 'member',
  get_network: 'reader',
  create_network: 'member',
  'create_network:shared': 'admin',
  'create_network:provider:segmentation_id': 'admin',
  update_network: 'member',
  'update_network:shared': 'admin',
  delete_network: 'member',
  get_subnet: 'reader',
  create_subnet: 'member',
  update_subnet: 'member',
  delete_subnet: 'member',
  get_port: 'reader',
  create_port: 'member',
  update_port: 'member',
  'update_port:mac_address': 'admin',
  delete_port: 'member',
  'get_port:binding': 'admin',
  'get_port:state': 'admin',
  get_security_group: 'reader',
  create_security_group: 'member',
  update_security_group: 'member',
  delete_security_group: 'member',
  'delete_security_group:default': 'admin',
  get_security_group_rule: 'reader',
  create_security_group_rule: 'member',
  delete_security_group_rule: 'member',
  get_policy: 'reader',
  create_policy: 'admin',
  update_policy: 'admin',
  delete_policy: 'admin',
  get_tags: 'reader',
  update_tags: 'member',
  get_extension: 'reader',
  get_quota: 'reader',
  'get_quota:others': 'admin',
  update_quota: 'admin',
  delete_quota: 'admin',
  get_floatingip: 'reader',
  'ipam:admin': 'admin',
  'inventory:admin': 'admin',
  get_availability_zone: 'reader',
  get_agent: 'admin',
  'identity:own': 'any',
  'identity:validate_token': seen,
  'identity:revoke_token': 'admin',
  'identity:list_domains': seen,
  'identity:get_domain': seen,
  'identity:create_domain': 'admin',
  'identity:update_domain': 'admin',
  'identity:delete_domain': 'admin',
  'identity:list_projects': seen,
  'identity:get_project': seen,
  'identity:create_project': governed,
  'identity:update_project': governed,
  'identity:delete_project': governed,
  'identity:list_users': seen,
  'identity:get_user': seen,
  'identity:create_user': governed,
  'identity:update_user': governed,
  'identity:delete_user': governed,
  'identity:list_groups': seen,
  'identity:get_group': seen,
  'identity:create_group': governed,
  'identity:update_group': governed,
  'identity:delete_group': governed,
  'identity:list_roles': seen,
  'identity:get_role': seen,
  'identity:create_role': 'admin',
  'identity:update_role': 'admin',
  'identity:delete_role': 'admin',
  'identity:list_implied_roles': seen,
  'identity:create_implied_role': 'admin',
  'identity:delete_implied_role': 'admin',
  'identity:list_grants': seen,
  'identity:create_grant': governed,
  'identity:revoke_grant': governed,
  'identity:list_role_assignments': seen,
  'identity:list_application_credentials': seen,
  'identity:list_services': seen,
  'identity:create_service': 'admin',
  'identity:update_service': 'admin',
  'identity:delete_service': 'admin',
  'identity:list_endpoints': seen,
  'identity:create_endpoint': 'admin',
  'identity:update_endpoint': 'admin',
  'identity:delete_endpoint': 'admin',
  'identity:create_region': 'admin',
  'identity:update_region': 'admin',
  'identity:delete_region': 'admin',
  'placement:show': { project: 'admin', system: 'reader' },
} as const satisfies Record<string, Least>

export type Rule = keyof typeof policy

export function scopeOf({ projectId, domainId, isSystem }: Caller): Scope | null {
  return isSystem ? 'system' : domainId !== null ? 'domain' : projectId !== null ? 'project' : null
}

/** The least role that a rule asks of a token of this scope; null = none suffices. */
export function leastRole(least: Least, scope: Scope): Role | 'any' | null {
  if (typeof least !== 'string') return least[scope] ?? null
  if (scope === 'project' || least === 'any') return least
  return scope === 'system' && least === 'admin' ? least : null
}

/** A caller of one of these roles, or of a greater one, in a scope for which the rule is. */
export function isAllowed(caller: Caller, rule: Rule): boolean {
  if (policy[rule] === 'any') return true
  const scope = scopeOf(caller)
  const least = scope === null ? null : leastRole(policy[rule], scope)
  if (least === null || least === 'any') return least === 'any'
  return roles.slice(0, roles.indexOf(least) + 1).some((role) => caller.roles.includes(role))
}

/** @throws Forbidden */
export function allow(caller: Caller, rule: Rule): void {
  if (!isAllowed(caller, rule)) throw new Forbidden(`Policy doesn't allow ${rule} to be performed.`)
}

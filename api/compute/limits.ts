import { Forbidden } from '../../core/errors.ts'
import { defaultQuotas, quotasOf, useOf, type Quotas } from '../../db/quotas.ts'
import { projectOf } from '../caller.ts'
import { isAllowed } from '../policy.ts'
import type { Call, Reply } from '../route.ts'

/** GET /limits. Network limits went at 2.36, image metadata at 2.39, injected files at 2.57. */
export async function limits(call: Call): Promise<Reply> {
  const { db, caller, query, version } = call
  const own = projectOf(caller)
  const projectId = query.get('tenant_id') ?? own
  if (projectId !== own && !isAllowed(caller, 'os_compute_api:limits:other_project'))
    throw new Forbidden("Policy doesn't allow os_compute_api:limits:other_project to be performed.")
  const [quota, use] = await Promise.all([quotasOf(db, projectId), useOf(db, projectId)])
  const absolute = {
    maxTotalInstances: quota.instances,
    maxTotalCores: quota.cores,
    maxTotalRAMSize: quota.ram,
    maxServerMeta: quota.metadata_items,
    maxTotalKeypairs: quota.key_pairs,
    maxServerGroups: quota.server_groups,
    maxServerGroupMembers: quota.server_group_members,
    totalInstancesUsed: use.instances,
    totalCoresUsed: use.cores,
    totalRAMUsed: use.ram,
    totalServerGroupsUsed: 0,
    ...(version < 36 ? { maxSecurityGroups: -1, maxSecurityGroupRules: -1, maxTotalFloatingIps: -1 } : {}),
    ...(version < 36 ? { totalFloatingIpsUsed: 0, totalSecurityGroupsUsed: 0 } : {}),
    ...(version < 39 ? { maxImageMeta: quota.metadata_items } : {}),
    ...(version < 57 ? { maxPersonality: 0, maxPersonalitySize: 0 } : {}),
  }
  return { status: 200, body: { limits: { rate: [], absolute } } }
}

/** A quota set without what went at 2.36 and 2.57. */
function quotaView({ version }: Call, quotas: Quotas): Readonly<Record<string, number>> {
  const { injected_files, injected_file_content_bytes, injected_file_path_bytes, ...kept } = quotas
  return {
    ...kept,
    ...(version < 36 ? { fixed_ips: -1, floating_ips: -1, security_groups: -1, security_group_rules: -1 } : {}),
    ...(version < 57 ? { injected_files, injected_file_content_bytes, injected_file_path_bytes } : {}),
  }
}

/** The project that the path names. @throws Forbidden for another's, to who is no administrator */
function namedProject({ caller, params }: Call): string {
  const { project = '' } = params
  if (project !== projectOf(caller) && !isAllowed(caller, 'os_compute_api:os-quota-sets:other_project'))
    throw new Forbidden("Policy doesn't allow os_compute_api:os-quota-sets:show to be performed.")
  return project
}

/** GET /os-quota-sets/{project}: what a project may take. */
export async function quotaSet(call: Call): Promise<Reply> {
  const project = namedProject(call)
  return { status: 200, body: { quota_set: { id: project, ...quotaView(call, await quotasOf(call.db, project)) } } }
}

export function defaultQuotaSet(call: Call): Reply {
  return { status: 200, body: { quota_set: { id: namedProject(call), ...quotaView(call, defaultQuotas) } } }
}

/** With what is taken of it. */
export async function quotaDetail(call: Call): Promise<Reply> {
  const project = namedProject(call)
  const [quotas, use] = await Promise.all([quotasOf(call.db, project), useOf(call.db, project)])
  const taken: Readonly<Record<string, number>> = { ...use }
  const view = Object.entries(quotaView(call, quotas)).map(
    ([resource, limit]) => [resource, { limit, in_use: taken[resource] ?? 0, reserved: 0 }] as const,
  )
  return { status: 200, body: { quota_set: { id: project, ...Object.fromEntries(view) } } }
}

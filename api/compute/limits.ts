import { Forbidden } from '../../core/errors.ts'
import { quotasOf, useOf, type Quotas } from '../../db/quotas.ts'
import { countServerGroups } from '../../db/server-groups.ts'
import { projectOf } from '../caller.ts'
import { isAllowed } from '../policy.ts'
import type { Call, Reply } from '../route.ts'
import { refuseParameters } from './keys.ts'

/** What is taken of these is the network API's to say. */
function networkLimits(quota: Quotas): Readonly<Record<string, number>> {
  return {
    maxSecurityGroups: quota.security_groups,
    maxSecurityGroupRules: quota.security_group_rules,
    maxTotalFloatingIps: quota.floating_ips,
    totalFloatingIpsUsed: 0,
    totalSecurityGroupsUsed: 0,
  }
}

/** GET /limits. Network limits went at 2.36, image metadata at 2.39, injected files at 2.57. */
export async function limits(call: Call): Promise<Reply> {
  const { db, caller, query, version } = call
  refuseParameters(query, ['tenant_id', 'reserved'], version)
  const own = projectOf(caller)
  const projectId = query.get('tenant_id') ?? own
  if (projectId !== own && !isAllowed(caller, 'os_compute_api:limits:other_project'))
    throw new Forbidden("Policy doesn't allow os_compute_api:limits:other_project to be performed.")
  const [quota, use, groups] = await Promise.all([
    quotasOf(db, projectId),
    useOf(db, projectId),
    countServerGroups(db, projectId, null),
  ])
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
    totalServerGroupsUsed: groups,
    ...(version < 36 ? networkLimits(quota) : {}),
    ...(version < 39 ? { maxImageMeta: quota.metadata_items } : {}),
    ...(version < 57
      ? { maxPersonality: quota.injected_files, maxPersonalitySize: quota.injected_file_content_bytes }
      : {}),
  }
  return { status: 200, body: { limits: { rate: [], absolute } } }
}

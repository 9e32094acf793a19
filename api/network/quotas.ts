/** Quotas of networks: there are none, which clients that ask are told. */
import { Forbidden } from '../../core/errors.ts'
import type { Call, Reply } from '../route.ts'

const resources = [
  'network',
  'subnet',
  'subnetpool',
  'port',
  'security_group',
  'security_group_rule',
  'router',
  'floatingip',
  'rbac_policy',
] as const

const unlimited = -1

/** @throws Forbidden for another project's, to who is no administrator */
function refuseOthers({ caller, params }: Call): void {
  if (params.project !== caller.projectId && !caller.isAdmin)
    throw new Forbidden("Policy doesn't allow get_quota to be performed.")
}

export function show(call: Call): Reply {
  refuseOthers(call)
  return { status: 200, body: { quota: Object.fromEntries(resources.map((name) => [name, unlimited])) } }
}

export function details(call: Call): Reply {
  refuseOthers(call)
  const detail = { limit: unlimited, used: 0, reserved: 0 }
  return { status: 200, body: { quota: Object.fromEntries(resources.map((name) => [name, detail])) } }
}

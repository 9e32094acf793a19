/** How much of the network each project may have. */
import { z } from 'zod'
import { Forbidden } from '../../core/errors.ts'
import {
  defaultNetworkQuotas,
  deleteNetworkQuotas,
  networkQuotasOf,
  networkResources,
  networkUse,
  projectsWithNetworkQuotas,
  setNetworkQuotas,
} from '../../db/network-quotas.ts'
import { parseBody } from '../body.ts'
import { projectOf } from '../caller.ts'
import type { Call, Reply } from '../route.ts'

/** @throws Forbidden for another project's, to who is no administrator */
function projectIn({ caller, params }: Call): string {
  const { project = '' } = params
  if (project !== caller.projectId && !caller.isAdmin)
    throw new Forbidden("Policy doesn't allow get_quota to be performed.")
  return project
}

/** Of the projects whose quotas were set. */
export async function index({ db }: Call): Promise<Reply> {
  const quotas = []
  for (const project of await projectsWithNetworkQuotas(db))
    quotas.push({ ...(await networkQuotasOf(db, project)), project_id: project, tenant_id: project })
  return { status: 200, body: { quotas } }
}

export async function show(call: Call): Promise<Reply> {
  return { status: 200, body: { quota: await networkQuotasOf(call.db, projectIn(call)) } }
}

export function defaults(call: Call): Reply {
  projectIn(call)
  return { status: 200, body: { quota: defaultNetworkQuotas } }
}

export async function details(call: Call): Promise<Reply> {
  const project = projectIn(call)
  const limits = await networkQuotasOf(call.db, project)
  const entries = await Promise.all(
    networkResources.map(
      async (name) =>
        [name, { limit: limits[name], used: await networkUse(call.db, project, name), reserved: 0 }] as const,
    ),
  )
  return { status: 200, body: { quota: Object.fromEntries(entries) } }
}

const limit = z.coerce.number().int().min(-1).max(2_147_483_647).optional()
const body = z.strictObject({
  quota: z.strictObject({
    network: limit,
    subnet: limit,
    subnetpool: limit,
    port: limit,
    security_group: limit,
    security_group_rule: limit,
    router: limit,
    floatingip: limit,
    rbac_policy: limit,
    force: z.boolean().optional(),
    check_limit: z.boolean().optional(),
    tenant_id: z.string().optional(),
    project_id: z.string().optional(),
  }),
})

export async function update(call: Call): Promise<Reply> {
  const project = projectIn(call)
  const { quota } = parseBody(body, call.body)
  const limits = Object.fromEntries(
    networkResources.flatMap((name) => (quota[name] === undefined ? [] : [[name, quota[name]]])),
  )
  await call.db.transaction((trx) => setNetworkQuotas(trx, project, limits))
  return { status: 200, body: { quota: await networkQuotasOf(call.db, project) } }
}

export async function remove(call: Call): Promise<Reply> {
  await deleteNetworkQuotas(call.db, projectIn(call))
  return { status: 204 }
}

/** Whose quotas a request without a project would see. */
export function tenant({ caller }: Call): Reply {
  return { status: 200, body: { tenant: { tenant_id: projectOf(caller) } } }
}

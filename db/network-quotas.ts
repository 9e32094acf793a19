/** How many networks, ports and the like a project may have. */
import { NetworkError } from '../core/network-errors.ts'
import type { Db, Transaction } from './connect.ts'

/** Neutron's defaults; -1 = no limit. Ports have none: the quota of instances bounds them. */
export const defaultNetworkQuotas = {
  network: 100,
  subnet: 100,
  subnetpool: -1,
  port: -1,
  security_group: 10,
  security_group_rule: 100,
  router: 10,
  floatingip: 50,
  rbac_policy: 10,
} as const
export type NetworkResource = keyof typeof defaultNetworkQuotas
export type NetworkQuotas = Readonly<Record<NetworkResource, number>>

export const networkResources = [
  'network',
  'subnet',
  'subnetpool',
  'port',
  'security_group',
  'security_group_rule',
  'router',
  'floatingip',
  'rbac_policy',
] as const satisfies readonly NetworkResource[]

/** The table whose rows count; of what there is none, there is no table. */
const tables = {
  network: 'networks',
  subnet: 'subnets',
  port: 'ports',
  security_group: 'security_groups',
  security_group_rule: 'security_group_rules',
} as const
type Counted = keyof typeof tables

function isCounted(resource: NetworkResource): resource is Counted {
  return Object.hasOwn(tables, resource)
}

export async function networkQuotasOf(db: Db, projectId: string): Promise<NetworkQuotas> {
  const rows = await db('network_quotas')
    .where({ projectId })
    .select('resource', 'hardLimit')
    .options({ name: 'network quotas' })
  return { ...defaultNetworkQuotas, ...Object.fromEntries(rows.map((row) => [row.resource, row.hardLimit])) }
}

/** Projects whose quotas were set. */
export async function projectsWithNetworkQuotas(db: Db): Promise<readonly string[]> {
  const rows = await db('network_quotas').distinct('projectId').orderBy('projectId')
  return rows.map(({ projectId }) => projectId)
}

export async function setNetworkQuotas(
  trx: Transaction,
  projectId: string,
  limits: Partial<NetworkQuotas>,
): Promise<void> {
  const rows = Object.entries(limits).map(([resource, hardLimit]) => ({ projectId, resource, hardLimit }))
  if (rows.length > 0) await trx('network_quotas').insert(rows).onConflict(['projectId', 'resource']).merge()
}

/** The defaults hold again. */
export async function deleteNetworkQuotas(db: Db, projectId: string): Promise<void> {
  await db('network_quotas').where({ projectId }).delete()
}

/** How many of a resource a project has. */
export async function networkUse(db: Db, projectId: string, resource: NetworkResource): Promise<number> {
  if (!isCounted(resource)) return 0
  const { rows } = await db.raw<{ rows: { count: number }[] }>(
    'select count(*)::int as count from ?? where project_id = ?',
    [tables[resource], projectId],
  )
  return rows[0]?.count ?? 0
}

/**
 * Call it in the transaction that has just made the rows: it waits for others of the project, then counts.
 *
 * @throws NetworkError OverQuota
 */
export async function withinNetworkQuota(trx: Transaction, projectId: string, resource: Counted): Promise<void> {
  const limit = (await networkQuotasOf(trx, projectId))[resource]
  if (limit < 0) return
  await trx.raw('select pg_advisory_xact_lock(hashtext(?))', [`quota ${resource} ${projectId}`])
  if ((await networkUse(trx, projectId, resource)) > limit)
    throw new NetworkError('OverQuota', `Quota exceeded for resources: ['${resource}'].`)
}

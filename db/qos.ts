/** QoS policies with their rules. What they come to on a port, db/vifs.ts says. */
import { NotFound } from '../core/errors.ts'
import { NetworkError } from '../core/network-errors.ts'
import { isUuid } from '../core/uuid.ts'
import type { Db, Transaction } from './connect.ts'
import type { Viewer } from './images.ts'
import type { QosPolicyRow, QosRuleRow } from './tables.ts'

export interface QosPolicyWithRules extends QosPolicyRow {
  readonly rules: readonly QosRuleRow[]
}

/** The project's own policies and the shared ones. */
export async function listQosPolicies(
  db: Db,
  filter: { readonly ids?: readonly string[] | null; readonly names?: readonly string[] | null },
  { projectId, isAdmin }: Viewer,
): Promise<readonly QosPolicyWithRules[]> {
  const query = db('qos_policies').orderBy(['createdAt', 'id'])
  if (!isAdmin) void query.whereRaw('(project_id = ? or shared)', [projectId])
  if (filter.ids) void query.whereIn('id', filter.ids.filter(isUuid))
  if (filter.names) void query.whereIn('name', [...filter.names])
  const policies = await query
  const ids = policies.map(({ id }) => id)
  const rules = Map.groupBy(
    await db('qos_rules').whereIn('policyId', ids).orderBy(['createdAt', 'id']),
    ({ policyId }) => policyId,
  )
  return policies.map((policy) => ({ ...policy, rules: rules.get(policy.id) ?? [] }))
}

/** @throws NotFound when there is none that the viewer may see */
export async function getQosPolicy(db: Db, id: string, viewer: Viewer): Promise<QosPolicyWithRules> {
  const [policy] = await listQosPolicies(db, { ids: [id] }, viewer)
  if (!policy) throw new NotFound('QosPolicy', id)
  return policy
}

export type QosPolicyChange = Pick<QosPolicyRow, 'name' | 'description' | 'shared' | 'isDefault'>

/** A project has one default policy: a new one takes the place of the old. */
async function makeRoom(trx: Transaction, projectId: string, isDefault: boolean): Promise<void> {
  if (isDefault) await trx('qos_policies').where({ projectId, isDefault: true }).update({ isDefault: false })
}

export async function insertQosPolicy(
  trx: Transaction,
  policy: QosPolicyChange & Pick<QosPolicyRow, 'id' | 'projectId'>,
): Promise<void> {
  await makeRoom(trx, policy.projectId, policy.isDefault)
  await trx('qos_policies').insert(policy)
}

export async function updateQosPolicy(
  trx: Transaction,
  { id, projectId }: Pick<QosPolicyRow, 'id' | 'projectId'>,
  change: QosPolicyChange,
): Promise<void> {
  await makeRoom(trx, projectId, change.isDefault)
  await trx('qos_policies').where({ id }).update(change)
}

/** With its rules. @throws NetworkError when a network or a port has it; NotFound */
export async function deleteQosPolicy(trx: Transaction, id: string): Promise<void> {
  const policy = await trx('qos_policies').where({ id }).forUpdate().first('id')
  if (!policy) throw new NotFound('QosPolicy', id)
  const [network, port] = [
    await trx('networks').where({ qosPolicyId: id }).first('id'),
    await trx('ports').where({ qosPolicyId: id }).first('id'),
  ]
  const [kind, user] = network ? (['network', network] as const) : (['port', port] as const)
  if (user) throw new NetworkError('QosPolicyInUse', `QoS Policy ${id} is used by ${kind} ${user.id}.`)
  await trx('qos_policies').where({ id }).delete()
}

/** The policy that is a project's when it names none, or null. */
export async function defaultQosPolicy(trx: Transaction, projectId: string): Promise<string | null> {
  return (await trx('qos_policies').where({ projectId, isDefault: true }).first('id'))?.id ?? null
}

/** @throws NetworkError when the policy has a rule of this direction */
export async function putQosRule(trx: Transaction, rule: Omit<QosRuleRow, 'createdAt'>): Promise<void> {
  const { policyId, direction } = rule
  const other = await trx('qos_rules').where({ policyId, direction }).whereNot({ id: rule.id }).first('id')
  if (other)
    throw new NetworkError(
      'QoSRulesConflict',
      `Rule bandwidth_limit conflicts with rule ${other.id} which already exists in QoS Policy ${policyId}.`,
    )
  await trx('qos_rules').insert(rule).onConflict('id').merge(['direction', 'maxKbps', 'maxBurstKbps'])
  await trx('qos_policies').where({ id: policyId }).update({ updatedAt: trx.fn.now() })
}

export async function deleteQosRule(trx: Transaction, id: string): Promise<void> {
  await trx('qos_rules').where({ id }).delete()
}

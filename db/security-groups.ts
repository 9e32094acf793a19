import { randomUUID } from 'node:crypto'
import { NotFound } from '../core/errors.ts'
import { NetworkError } from '../core/network-errors.ts'
import { isUuid } from '../core/uuid.ts'
import type { Db, Transaction } from './connect.ts'
import type { Viewer } from './images.ts'
import type { SecurityGroupRow, SecurityGroupRuleRow } from './tables.ts'

export interface SecurityGroupFilter {
  readonly ids: readonly string[] | null
  readonly names: readonly string[] | null
  readonly projectId: string | null
}

const noFilter: SecurityGroupFilter = { ids: null, names: null, projectId: null }

/** Neutron's default group: all out, and in only from members of the group. */
async function insertDefaultRules(trx: Transaction, { id, projectId }: SecurityGroupRow): Promise<void> {
  const families = ['IPv4', 'IPv6'] as const
  const rules = families.flatMap((ethertype) => [
    { direction: 'egress' as const, ethertype, remoteGroupId: null },
    { direction: 'ingress' as const, ethertype, remoteGroupId: id },
  ])
  await trx('security_group_rules').insert(
    rules.map((rule) => ({ ...rule, id: randomUUID(), securityGroupId: id, projectId })),
  )
}

/** The project's default group, made on first use. */
export async function defaultGroup(trx: Transaction, projectId: string): Promise<SecurityGroupRow> {
  const present = await trx('security_groups')
    .where({ projectId, name: 'default' })
    .first()
    .options({ name: 'default group' })
  if (present) return present
  const { rows } = await trx.raw<{ rows: SecurityGroupRow[] }>(
    `insert into security_groups (id, project_id, name, description) values (?, ?, 'default', 'Default security group')
     on conflict (project_id) where name = 'default' do nothing returning *`,
    [randomUUID(), projectId],
  )
  const [made] = rows
  if (made) {
    await insertDefaultRules(trx, made)
    return made
  }
  return await defaultGroup(trx, projectId)
}

export async function listSecurityGroups(
  db: Db,
  filter: Partial<SecurityGroupFilter>,
  { projectId, isAdmin }: Viewer,
): Promise<readonly SecurityGroupRow[]> {
  const wanted = { ...noFilter, ...filter }
  const query = db('security_groups').orderBy(['createdAt', 'id'])
  if (!isAdmin) void query.where({ projectId })
  if (wanted.ids !== null) void query.whereIn('id', wanted.ids.filter(isUuid))
  if (wanted.names !== null) void query.whereIn('name', [...wanted.names])
  if (wanted.projectId !== null) void query.where({ projectId: wanted.projectId })
  return await query
}

/** @throws NotFound when there is none that the viewer may see */
export async function getSecurityGroup(db: Db, id: string, viewer: Viewer): Promise<SecurityGroupRow> {
  const [row] = await listSecurityGroups(db, { ids: [id] }, viewer)
  if (!row) throw new NotFound('Security group', id)
  return row
}

export async function rulesOf(db: Db, groupIds: readonly string[]): Promise<readonly SecurityGroupRuleRow[]> {
  return await db('security_group_rules')
    .whereIn('securityGroupId', [...groupIds])
    .orderBy(['createdAt', 'id'])
}

/** A group of the project's own, with all out and nothing in. */
export async function insertSecurityGroup(
  trx: Transaction,
  group: Pick<SecurityGroupRow, 'id' | 'projectId' | 'name' | 'description'>,
): Promise<void> {
  await trx('security_groups').insert(group)
  await trx('security_group_rules').insert(
    (['IPv4', 'IPv6'] as const).map((ethertype) => ({
      id: randomUUID(),
      securityGroupId: group.id,
      projectId: group.projectId,
      direction: 'egress' as const,
      ethertype,
    })),
  )
}

export async function updateSecurityGroup(
  trx: Transaction,
  id: string,
  fields: Partial<Pick<SecurityGroupRow, 'name' | 'description'>>,
): Promise<void> {
  await trx('security_groups')
    .where({ id })
    .update({ ...fields, updatedAt: trx.fn.now() })
}

/** The group with its rules, and the rules of others that name it. @throws NetworkError when a port has it; NotFound */
export async function deleteSecurityGroup(trx: Transaction, id: string): Promise<void> {
  const group = await trx('security_groups').where({ id }).forUpdate().first('id')
  if (!group) throw new NotFound('Security group', id)
  const used = await trx('port_security_groups').where({ securityGroupId: id }).first('portId')
  if (used) throw new NetworkError('SecurityGroupInUse', `Security Group ${id} in use.`)
  await trx('security_groups').where({ id }).delete()
}

/** Of the groups that the viewer may see. */
export async function listRules(
  db: Db,
  filter: { readonly ids?: readonly string[] | null; readonly groupIds?: readonly string[] | null },
  { projectId, isAdmin }: Viewer,
): Promise<readonly SecurityGroupRuleRow[]> {
  const query = db('security_group_rules').orderBy(['createdAt', 'id'])
  if (!isAdmin)
    void query.whereRaw('security_group_id in (select id from security_groups where project_id = ?)', [projectId])
  if (filter.ids) void query.whereIn('id', filter.ids.filter(isUuid))
  if (filter.groupIds) void query.whereIn('securityGroupId', filter.groupIds.filter(isUuid))
  return await query
}

/** @throws NotFound when there is none that the viewer may see */
export async function getRule(db: Db, id: string, viewer: Viewer): Promise<SecurityGroupRuleRow> {
  const [row] = await listRules(db, { ids: [id] }, viewer)
  if (!row) throw new NotFound('Security group rule', id)
  return row
}

async function touch(trx: Transaction, id: string): Promise<void> {
  await trx('security_groups').where({ id }).update({ updatedAt: trx.fn.now() })
}

/** @throws NetworkError when the group has this very rule */
export async function insertRule(trx: Transaction, rule: Omit<SecurityGroupRuleRow, 'createdAt'>): Promise<void> {
  const [made] = await trx('security_group_rules').insert(rule).onConflict().ignore().returning('id')
  if (!made) {
    const same = await trx('security_group_rules')
      .where({
        securityGroupId: rule.securityGroupId,
        direction: rule.direction,
        ethertype: rule.ethertype,
      })
      .whereRaw(
        `(protocol, port_range_min, port_range_max, remote_ip_prefix, remote_group_id)
         is not distinct from (?::text, ?::integer, ?::integer, ?::cidr, ?::uuid)`,
        [rule.protocol, rule.portRangeMin, rule.portRangeMax, rule.remoteIpPrefix, rule.remoteGroupId],
      )
      .first('id')
    throw new NetworkError(
      'SecurityGroupRuleExists',
      `Security group rule already exists. Rule id is ${same?.id ?? 'unknown'}.`,
    )
  }
  await touch(trx, rule.securityGroupId)
}

export async function deleteRule(
  trx: Transaction,
  { id, securityGroupId }: Pick<SecurityGroupRuleRow, 'id' | 'securityGroupId'>,
): Promise<void> {
  await trx('security_group_rules').where({ id }).delete()
  await touch(trx, securityGroupId)
}

import { randomUUID } from 'node:crypto'
import { NotFound } from '../core/errors.ts'
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
  const present = await trx('security_groups').where({ projectId, name: 'default' }).first()
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

/** Names of the groups on the ports of each of these servers. */
export async function groupNamesOf(
  db: Db,
  serverIds: readonly string[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  const { rows } = await db.raw<{ rows: { serverId: string; names: string[] }[] }>(
    `select p.server_id, array_agg(distinct g.name order by g.name) as names
     from ports p join port_security_groups x on x.port_id = p.id join security_groups g on g.id = x.security_group_id
     where p.server_id = any(?::uuid[]) group by p.server_id`,
    [[...serverIds]],
  )
  return new Map(rows.map((row) => [row.serverId, row.names]))
}

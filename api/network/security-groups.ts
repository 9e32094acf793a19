import { findProject } from '../../db/identity.ts'
import { defaultGroup, getSecurityGroup, listSecurityGroups, rulesOf } from '../../db/security-groups.ts'
import type { SecurityGroupRow, SecurityGroupRuleRow } from '../../db/tables.ts'
import { projectOf, viewerOf } from '../caller.ts'
import type { Call, Reply } from '../route.ts'
import { fieldsOf, pageIn, projectFilter, valuesOf } from './filters.ts'
import { seconds } from './times.ts'

type Json = Readonly<Record<string, unknown>>

function ruleView(rule: SecurityGroupRuleRow): Json {
  return {
    id: rule.id,
    security_group_id: rule.securityGroupId,
    tenant_id: rule.projectId,
    project_id: rule.projectId,
    direction: rule.direction,
    ethertype: rule.ethertype,
    protocol: rule.protocol,
    port_range_min: rule.portRangeMin,
    port_range_max: rule.portRangeMax,
    remote_ip_prefix: rule.remoteIpPrefix,
    remote_group_id: rule.remoteGroupId,
    remote_address_group_id: null,
    normalized_cidr: rule.remoteIpPrefix,
    description: rule.description,
    tags: [],
    revision_number: 0,
    created_at: seconds(rule.createdAt),
    updated_at: seconds(rule.createdAt),
  }
}

function groupView(group: SecurityGroupRow, rules: readonly SecurityGroupRuleRow[]): Json {
  return {
    id: group.id,
    name: group.name,
    description: group.description,
    tenant_id: group.projectId,
    project_id: group.projectId,
    security_group_rules: rules.filter(({ securityGroupId }) => securityGroupId === group.id).map(ruleView),
    stateful: true,
    shared: false,
    tags: [],
    revision_number: 1,
    created_at: seconds(group.createdAt),
    updated_at: seconds(group.updatedAt),
  }
}

/** A project that looks finds its default group, made on first use. */
async function ensureDefault({ db, caller }: Call, projectId: string): Promise<void> {
  const isKnown =
    projectId === caller.projectId || (caller.isAdmin && (await findProject(db, { id: projectId })) !== null)
  if (isKnown) await db.transaction((trx) => defaultGroup(trx, projectId))
}

export async function index(call: Call): Promise<Reply> {
  const { query, db } = call
  const projectId = projectFilter(query)
  await ensureDefault(call, projectId ?? projectOf(call.caller))
  const filter = { ids: valuesOf(query, 'id'), names: valuesOf(query, 'name'), projectId }
  const groups = pageIn(query, await listSecurityGroups(db, filter, viewerOf(call.caller)))
  const rules = await rulesOf(
    db,
    groups.map(({ id }) => id),
  )
  return { status: 200, body: { security_groups: groups.map((group) => fieldsOf(query, groupView(group, rules))) } }
}

export async function show(call: Call): Promise<Reply> {
  const group = await getSecurityGroup(call.db, call.params.id ?? '', viewerOf(call.caller))
  return { status: 200, body: { security_group: groupView(group, await rulesOf(call.db, [group.id])) } }
}

export async function rules(call: Call): Promise<Reply> {
  const groups = await listSecurityGroups(
    call.db,
    { ids: valuesOf(call.query, 'security_group_id') },
    viewerOf(call.caller),
  )
  const rows = await rulesOf(
    call.db,
    groups.map(({ id }) => id),
  )
  return { status: 200, body: { security_group_rules: rows.map((row) => fieldsOf(call.query, ruleView(row))) } }
}

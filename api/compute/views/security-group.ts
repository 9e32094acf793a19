/** Security groups as Nova showed them before 2.36. Source: nova/api/openstack/compute/security_groups.py. */
import type { Db } from '../../../db/connect.ts'
import { listSecurityGroups, rulesOf } from '../../../db/security-groups.ts'
import type { SecurityGroupRow, SecurityGroupRuleRow } from '../../../db/tables.ts'

type Json = Readonly<Record<string, unknown>>

/** Ports that are not named are all of the protocol's. */
function portsOf({
  protocol,
  portRangeMin,
  portRangeMax,
}: SecurityGroupRuleRow): readonly [number | null, number | null] {
  if (portRangeMin !== null || portRangeMax !== null) return [portRangeMin, portRangeMax]
  if (protocol === null) return [null, null]
  return protocol === 'tcp' || protocol === 'udp' ? [1, 65_535] : [-1, -1]
}

/** @param peers the groups that rules may name */
export function ruleView(rule: SecurityGroupRuleRow, peers: ReadonlyMap<string, SecurityGroupRow>): Json {
  const [from, to] = portsOf(rule)
  const peer = rule.remoteGroupId === null ? undefined : peers.get(rule.remoteGroupId)
  const everyone = rule.ethertype === 'IPv6' ? '::/0' : '0.0.0.0/0'
  return {
    id: rule.id,
    parent_group_id: rule.securityGroupId,
    ip_protocol: rule.protocol,
    from_port: from,
    to_port: to,
    group: peer ? { name: peer.name, tenant_id: peer.projectId } : {},
    ip_range: rule.remoteGroupId === null ? { cidr: rule.writtenPrefix ?? rule.remoteIpPrefix ?? everyone } : {},
  }
}

/** The groups that these rules name. */
export async function peersOf(
  db: Db,
  rules: readonly SecurityGroupRuleRow[],
): Promise<ReadonlyMap<string, SecurityGroupRow>> {
  const ids = [...new Set(rules.flatMap(({ remoteGroupId }) => remoteGroupId ?? []))]
  const groups = ids.length === 0 ? [] : await listSecurityGroups(db, { ids }, { projectId: '', isAdmin: true })
  return new Map(groups.map((group) => [group.id, group]))
}

/** With what they let in: Nova knew no rules for the way out. */
export async function groupsView(db: Db, groups: readonly SecurityGroupRow[]): Promise<readonly Json[]> {
  const all = await rulesOf(
    db,
    groups.map(({ id }) => id),
  )
  const rules = all.filter(({ direction }) => direction === 'ingress')
  const peers = await peersOf(db, rules)
  const byGroup = Map.groupBy(rules, ({ securityGroupId }) => securityGroupId)
  return groups.map(({ id, name, description, projectId }) => ({
    id,
    name,
    description,
    tenant_id: projectId,
    rules: (byGroup.get(id) ?? []).map((rule) => ruleView(rule, peers)),
  }))
}

import type { SecurityGroupRow, SecurityGroupRuleRow } from '../../db/tables.ts'
import { seconds } from './times.ts'

type Json = Readonly<Record<string, unknown>>

export function ruleView(rule: SecurityGroupRuleRow): Json {
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
    remote_ip_prefix: rule.writtenPrefix ?? rule.remoteIpPrefix,
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

export function groupView(group: SecurityGroupRow, rules: readonly SecurityGroupRuleRow[]): Json {
  return {
    id: group.id,
    name: group.name,
    description: group.description,
    tenant_id: group.projectId,
    project_id: group.projectId,
    security_group_rules: rules.filter(({ securityGroupId }) => securityGroupId === group.id).map(ruleView),
    stateful: true,
    shared: false,
    tags: group.tags,
    revision_number: group.revision,
    created_at: seconds(group.createdAt),
    updated_at: seconds(group.updatedAt),
  }
}

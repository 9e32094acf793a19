import type { Transaction } from '../../db/connect.ts'
import { withinNetworkQuota } from '../../db/network-quotas.ts'
import { deleteRule, getRule, getSecurityGroup, insertRule, listRules } from '../../db/security-groups.ts'
import { viewerOf } from '../caller.ts'
import type { Call, Reply } from '../route.ts'
import { createEach } from './bulk.ts'
import { fieldsOf, valuesOf } from './filters.ts'
import { listed } from './listing.ts'
import { ruleRow, wantedRule, type WantedRule } from './rule-body.ts'
import { ruleView } from './security-group-views.ts'

export async function index(call: Call): Promise<Reply> {
  const filter = { ids: valuesOf(call.query, 'id'), groupIds: valuesOf(call.query, 'security_group_id') }
  const rows = await listRules(call.db, filter, viewerOf(call.caller))
  return listed(call, 'security_group_rules', rows.map(ruleView))
}

export async function show(call: Call): Promise<Reply> {
  const rule = await getRule(call.db, call.params.id ?? '', viewerOf(call.caller))
  return { status: 200, body: { security_group_rule: fieldsOf(call.query, ruleView(rule)) } }
}

/** A new rule of a group that the caller sees. @throws NotFound, NetworkError */
export async function makeRule(trx: Transaction, { caller }: Call, wanted: WantedRule): Promise<string> {
  const viewer = viewerOf(caller)
  const group = await getSecurityGroup(trx, wanted.security_group_id, viewer)
  if (wanted.remote_group_id !== null) await getSecurityGroup(trx, wanted.remote_group_id, viewer)
  const row = ruleRow(wanted, group.projectId)
  await insertRule(trx, row)
  await withinNetworkQuota(trx, group.projectId, 'security_group_rule')
  return row.id
}

export async function create(call: Call): Promise<Reply> {
  return await createEach(call, { one: 'security_group_rule', many: 'security_group_rules' }, wantedRule, {
    make: (trx, wanted) => makeRule(trx, call, wanted),
    view: async (id) => ruleView(await getRule(call.db, id, viewerOf(call.caller))),
  })
}

export async function remove(call: Call): Promise<Reply> {
  const rule = await getRule(call.db, call.params.id ?? '', viewerOf(call.caller))
  await call.db.transaction((trx) => deleteRule(trx, rule))
  return { status: 204 }
}

/** Rules of QoS policies. There is one type: a limit of bandwidth, of each direction at most one. */
import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { NotFound } from '../../core/errors.ts'
import { deleteQosRule, getQosPolicy, putQosRule } from '../../db/qos.ts'
import type { QosRuleRow } from '../../db/tables.ts'
import { parseBody } from '../body.ts'
import { viewerOf } from '../caller.ts'
import type { Call, Reply } from '../route.ts'
import { listed } from './listing.ts'
import { whole } from './values.ts'

type Json = Readonly<Record<string, unknown>>
const type = 'bandwidth_limit'
const most = 2_147_483_647

export function qosRuleView({ id, maxKbps, maxBurstKbps, direction }: QosRuleRow): Json {
  return { id, max_kbps: maxKbps, max_burst_kbps: maxBurstKbps, direction }
}

async function rulesOf({ db, params, caller }: Call): Promise<readonly QosRuleRow[]> {
  return (await getQosPolicy(db, params.id ?? '', viewerOf(caller))).rules
}

/** @throws NotFound */
async function ruleOf(call: Call): Promise<QosRuleRow> {
  const rule = (await rulesOf(call)).find(({ id }) => id === call.params.rule)
  if (!rule) throw new NotFound('QosRule', call.params.rule ?? '')
  return rule
}

function reply(status: 200 | 201, rule: QosRuleRow): Reply {
  return { status, body: { bandwidth_limit_rule: qosRuleView(rule) } }
}

export async function index(call: Call): Promise<Reply> {
  return listed(call, 'bandwidth_limit_rules', (await rulesOf(call)).map(qosRuleView))
}

export async function show(call: Call): Promise<Reply> {
  return reply(200, await ruleOf(call))
}

const fields = {
  max_kbps: whole(z.int().min(0).max(most)),
  max_burst_kbps: whole(z.int().min(0).max(most)),
  direction: z.enum(['ingress', 'egress']),
} as const

const wanted = z.strictObject({
  bandwidth_limit_rule: z.strictObject({
    max_kbps: fields.max_kbps,
    max_burst_kbps: fields.max_burst_kbps.default(0),
    direction: fields.direction.default('egress'),
  }),
})

export async function create(call: Call): Promise<Reply> {
  const { bandwidth_limit_rule: asked } = parseBody(wanted, call.body)
  const { id: policyId } = await getQosPolicy(call.db, call.params.id ?? '', viewerOf(call.caller))
  const { max_kbps: maxKbps, max_burst_kbps: maxBurstKbps, direction } = asked
  const rule = { id: randomUUID(), policyId, direction, maxKbps, maxBurstKbps }
  await call.db.transaction((trx) => putQosRule(trx, rule))
  return reply(201, { ...rule, createdAt: new Date() })
}

const changes = z.strictObject({
  bandwidth_limit_rule: z.strictObject({
    max_kbps: fields.max_kbps.optional(),
    max_burst_kbps: fields.max_burst_kbps.optional(),
    direction: fields.direction.optional(),
  }),
})

export async function update(call: Call): Promise<Reply> {
  const { bandwidth_limit_rule: asked } = parseBody(changes, call.body)
  const { createdAt, ...rule } = await ruleOf(call)
  const changed = {
    ...rule,
    direction: asked.direction ?? rule.direction,
    maxKbps: asked.max_kbps ?? rule.maxKbps,
    maxBurstKbps: asked.max_burst_kbps ?? rule.maxBurstKbps,
  }
  await call.db.transaction((trx) => putQosRule(trx, changed))
  return reply(200, { ...changed, createdAt })
}

export async function remove(call: Call): Promise<Reply> {
  const { id } = await ruleOf(call)
  await call.db.transaction((trx) => deleteQosRule(trx, id))
  return { status: 204 }
}

/** What each driver can do is told to administrators; there is one. */
const details = {
  type,
  drivers: [
    {
      name: 'openvswitch',
      supported_parameters: [
        { parameter_name: 'max_kbps', parameter_type: 'range', parameter_values: { start: 0, end: most } },
        { parameter_name: 'max_burst_kbps', parameter_type: 'range', parameter_values: { start: 0, end: most } },
        { parameter_name: 'direction', parameter_type: 'choices', parameter_values: ['ingress', 'egress'] },
      ],
    },
  ],
} as const

export function types(): Reply {
  return { status: 200, body: { rule_types: [{ type }] } }
}

export function showType({ params }: Call): Reply {
  if (params.type !== type) throw new NotFound('QosRuleType', params.type ?? '')
  return { status: 200, body: { rule_type: details } }
}

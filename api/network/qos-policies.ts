/** QoS policies: made by administrators, used by whom they are shared with. */
import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import type { Db } from '../../db/connect.ts'
import type { Viewer } from '../../db/images.ts'
import {
  deleteQosPolicy,
  getQosPolicy,
  insertQosPolicy,
  listQosPolicies,
  updateQosPolicy,
  type QosPolicyWithRules,
} from '../../db/qos.ts'
import { parseBody } from '../body.ts'
import { viewerOf } from '../caller.ts'
import type { Call, Reply } from '../route.ts'
import { createEach } from './bulk.ts'
import { fieldsOf, valuesOf } from './filters.ts'
import { listed } from './listing.ts'
import { ownerOf } from './owner.ts'
import { qosRuleView } from './qos-rules.ts'
import { seconds } from './times.ts'
import { flag } from './values.ts'

type Json = Readonly<Record<string, unknown>>

function view(policy: QosPolicyWithRules): Json {
  return {
    id: policy.id,
    name: policy.name,
    description: policy.description,
    tenant_id: policy.projectId,
    project_id: policy.projectId,
    shared: policy.shared,
    is_default: policy.isDefault,
    rules: policy.rules.map((rule) => ({ ...qosRuleView(rule), type: 'bandwidth_limit', qos_policy_id: policy.id })),
    tags: policy.tags,
    revision_number: policy.revision,
    created_at: seconds(policy.createdAt),
    updated_at: seconds(policy.updatedAt),
  }
}

/**
 * The policy that a port or a network is to have: what it has, unless another is asked for that the viewer may see; null = none.
 *
 * @throws NotFound
 */
export async function qosPolicyOf(
  db: Db,
  { asked, present }: { readonly asked: string | null | undefined; readonly present: string | null },
  viewer: Viewer,
): Promise<string | null> {
  if (asked === undefined) return present
  return asked === null ? null : (await getQosPolicy(db, asked, viewer)).id
}

async function policyOf({ db, params, caller }: Call): Promise<QosPolicyWithRules> {
  return await getQosPolicy(db, params.id ?? '', viewerOf(caller))
}

export async function index(call: Call): Promise<Reply> {
  const filter = { ids: valuesOf(call.query, 'id'), names: valuesOf(call.query, 'name') }
  const policies = await listQosPolicies(call.db, filter, viewerOf(call.caller))
  return listed(call, 'policies', policies.map(view))
}

export async function show(call: Call): Promise<Reply> {
  return { status: 200, body: { policy: fieldsOf(call.query, view(await policyOf(call))) } }
}

const wanted = z.strictObject({
  name: z.string().min(1).max(255),
  description: z.string().max(255).default(''),
  shared: flag.default(false),
  is_default: flag.default(false),
  tenant_id: z.string().optional(),
  project_id: z.string().optional(),
})

export async function create(call: Call): Promise<Reply> {
  return await createEach(call, { one: 'policy', many: 'policies' }, wanted, {
    async make(trx, { name, description, shared, is_default: isDefault, ...owner }) {
      const id = randomUUID()
      await insertQosPolicy(trx, { id, projectId: ownerOf(call, owner), name, description, shared, isDefault })
      return id
    },
    view: async (id) => view(await getQosPolicy(call.db, id, viewerOf(call.caller))),
  })
}

const changes = z.strictObject({
  policy: z.strictObject({
    name: z.string().min(1).max(255).optional(),
    description: z.string().max(255).optional(),
    shared: flag.optional(),
    is_default: flag.optional(),
  }),
})

export async function update(call: Call): Promise<Reply> {
  const { policy: asked } = parseBody(changes, call.body)
  const policy = await policyOf(call)
  await call.db.transaction((trx) =>
    updateQosPolicy(trx, policy, {
      name: asked.name ?? policy.name,
      description: asked.description ?? policy.description,
      shared: asked.shared ?? policy.shared,
      isDefault: asked.is_default ?? policy.isDefault,
    }),
  )
  return { status: 200, body: { policy: view(await policyOf(call)) } }
}

export async function remove(call: Call): Promise<Reply> {
  const { id } = await policyOf(call)
  await call.db.transaction((trx) => deleteQosPolicy(trx, id))
  return { status: 204 }
}

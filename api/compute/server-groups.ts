/** /os-server-groups: servers that are to stand together, or apart. Source: nova/api/openstack/compute/server_groups.py. */
import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { Invalid } from '../../core/errors.ts'
import { quotasOf, withinCount } from '../../db/quotas.ts'
import {
  countServerGroups,
  deleteServerGroup,
  getServerGroup,
  insertServerGroup,
  listServerGroups,
  type ServerGroup,
} from '../../db/server-groups.ts'
import type { Transaction } from '../../db/connect.ts'
import { parseBody } from '../body.ts'
import { projectOf } from '../caller.ts'
import { pageOf } from '../page.ts'
import type { Call, Reply } from '../route.ts'
import { fieldName, whole } from './fields.ts'
import { refuseParameters } from './keys.ts'

function view(group: ServerGroup, version: number): Readonly<Record<string, unknown>> {
  const { maxServerPerHost: most } = group
  const rules = most === null ? {} : { max_server_per_host: most }
  return {
    id: group.id,
    name: group.name,
    members: group.members,
    ...(version >= 64 ? { policy: group.policy, rules } : { policies: [group.policy], metadata: {} }),
    ...(version >= 13 ? { project_id: group.projectId, user_id: group.userId } : {}),
  }
}

const hard = ['anti-affinity', 'affinity'] as const
const policies = [...hard, 'soft-anti-affinity', 'soft-affinity'] as const
type Policy = (typeof policies)[number]

function listBody(known: readonly Policy[]) {
  return z.strictObject({
    server_group: z.strictObject({ name: fieldName, policies: z.tuple([z.enum(known)]) }),
  })
}
const rulesBody = z.strictObject({
  server_group: z.strictObject({
    name: fieldName,
    policy: z.enum(policies),
    rules: z.strictObject({ max_server_per_host: whole(1).optional() }).default({}),
  }),
})

interface Wish {
  readonly name: string
  readonly policy: Policy
  readonly maxServerPerHost: number | null
}

/** A list of one policy until 2.64, where policies got rules; the soft ones came at 2.15. */
function wishIn({ body, version }: Call): Wish {
  if (version < 64) {
    const { name, policies: only } = parseBody(listBody(version < 15 ? hard : policies), body).server_group
    return { name, policy: only[0], maxServerPerHost: null }
  }
  const { name, policy, rules } = parseBody(rulesBody, body).server_group
  const maxServerPerHost = rules.max_server_per_host ?? null
  if (policy !== 'anti-affinity' && maxServerPerHost !== null)
    throw new Invalid('Only anti-affinity policy supports rules.')
  return { name, policy, maxServerPerHost }
}

async function checkQuota(trx: Transaction, projectId: string, userId: string): Promise<void> {
  const sentence = 'Quota exceeded, too many server groups.'
  const what = `server groups of project ${projectId}`
  const { server_groups: all } = await quotasOf(trx, projectId)
  await withinCount(trx, all, { what, count: () => countServerGroups(trx, projectId, null), sentence })
  const { server_groups: own } = await quotasOf(trx, projectId, userId)
  await withinCount(trx, own, { what, count: () => countServerGroups(trx, projectId, userId), sentence })
}

export async function create(call: Call): Promise<Reply> {
  const wish = wishIn(call)
  const { userId } = call.caller
  const projectId = projectOf(call.caller)
  const id = randomUUID()
  await call.db.transaction(async (trx) => {
    await insertServerGroup(trx, { id, projectId, userId, ...wish })
    await checkQuota(trx, projectId, userId)
  })
  const group = await getServerGroup(call.db, id, projectId)
  return { status: 200, body: { server_group: view(group, call.version) } }
}

const offset = z.object({
  offset: z
    .string()
    .regex(/^\d{1,9}$/)
    .default('0')
    .transform(Number),
})

export async function index(call: Call): Promise<Reply> {
  const { query, caller, version } = call
  refuseParameters(query, ['all_projects', 'limit', 'offset'], version)
  const groups = await listServerGroups(call.db, {
    projectId: caller.isAdmin && query.has('all_projects') ? null : projectOf(caller),
    limit: pageOf(query).limit,
    offset: parseBody(offset, Object.fromEntries(query)).offset,
  })
  return { status: 200, body: { server_groups: groups.map((group) => view(group, version)) } }
}

async function groupOf({ db, caller, params }: Call): Promise<ServerGroup> {
  return await getServerGroup(db, params.id ?? '', caller.isAdmin ? null : projectOf(caller))
}

export async function show(call: Call): Promise<Reply> {
  return { status: 200, body: { server_group: view(await groupOf(call), call.version) } }
}

export async function remove(call: Call): Promise<Reply> {
  const { id } = await groupOf(call)
  await call.db.transaction((trx) => deleteServerGroup(trx, id))
  return { status: 204 }
}

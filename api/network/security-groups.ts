import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { NetworkError } from '../../core/network-errors.ts'
import type { Transaction } from '../../db/connect.ts'
import { findProject } from '../../db/identity/projects.ts'
import { withinNetworkQuota } from '../../db/network-quotas.ts'
import {
  defaultGroup,
  deleteSecurityGroup,
  getSecurityGroup,
  insertSecurityGroup,
  listSecurityGroups,
  rulesOf,
  updateSecurityGroup,
} from '../../db/security-groups.ts'
import { parseBody } from '../body.ts'
import { projectOf, viewerOf } from '../caller.ts'
import { isAllowed } from '../policy.ts'
import type { Call, Reply } from '../route.ts'
import { createEach } from './bulk.ts'
import { fieldsOf, projectFilter, valuesOf } from './filters.ts'
import { listed } from './listing.ts'
import { ownerOf } from './owner.ts'
import { groupView } from './security-group-views.ts'

type Json = Readonly<Record<string, unknown>>

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
  const groups = await listSecurityGroups(db, filter, viewerOf(call.caller))
  const rules = await rulesOf(
    db,
    groups.map(({ id }) => id),
  )
  const byGroup = Map.groupBy(rules, ({ securityGroupId }) => securityGroupId)
  return listed(
    call,
    'security_groups',
    groups.map((group) => groupView(group, byGroup.get(group.id) ?? [])),
  )
}

async function viewOf(call: Call, id: string): Promise<Json> {
  const group = await getSecurityGroup(call.db, id, viewerOf(call.caller))
  return groupView(group, await rulesOf(call.db, [group.id]))
}

export async function show(call: Call): Promise<Reply> {
  const view = await viewOf(call, call.params.id ?? '')
  return { status: 200, body: { security_group: fieldsOf(call.query, view) } }
}

const wantedGroup = z.strictObject({
  name: z.string().max(255).default(''),
  description: z.string().max(255).default(''),
  stateful: z.literal(true).optional(),
  tenant_id: z.string().optional(),
  project_id: z.string().optional(),
})

/** A new group of a project's. @throws NetworkError */
export async function makeGroup(
  trx: Transaction,
  group: { readonly projectId: string; readonly name: string; readonly description: string },
): Promise<string> {
  if (group.name === 'default')
    throw new NetworkError('SecurityGroupDefaultAlreadyExists', 'Default security group already exists.')
  const id = randomUUID()
  await defaultGroup(trx, group.projectId)
  await insertSecurityGroup(trx, { id, ...group })
  await withinNetworkQuota(trx, group.projectId, 'security_group')
  return id
}

export async function create(call: Call): Promise<Reply> {
  return await createEach(call, { one: 'security_group', many: 'security_groups' }, wantedGroup, {
    make: (trx, { name, description, ...owner }) =>
      makeGroup(trx, { projectId: ownerOf(call, owner), name, description }),
    view: (id) => viewOf(call, id),
  })
}

const changes = z.strictObject({
  security_group: z.strictObject({
    name: z.string().max(255).optional(),
    description: z.string().max(255).optional(),
    stateful: z.literal(true).optional(),
  }),
})

/** @throws NetworkError when it would take or give the name of the default group */
export async function renameGroup(
  call: Call,
  id: string,
  fields: { readonly name?: string | undefined; readonly description?: string | undefined },
): Promise<void> {
  const group = await getSecurityGroup(call.db, id, viewerOf(call.caller))
  const { name = group.name, description = group.description } = fields
  if (name !== group.name && (name === 'default' || group.name === 'default'))
    throw new NetworkError('SecurityGroupCannotUpdateDefault', 'Updating default security group not allowed.')
  await call.db.transaction((trx) => updateSecurityGroup(trx, id, { name, description }))
}

export async function update(call: Call): Promise<Reply> {
  const { id = '' } = call.params
  const { name, description } = parseBody(changes, call.body).security_group
  await renameGroup(call, id, { name, description })
  return { status: 200, body: { security_group: await viewOf(call, id) } }
}

/** The default group of a project goes only by an administrator, and is made again on first use. */
export async function removeGroup(call: Call, id: string): Promise<void> {
  const group = await getSecurityGroup(call.db, id, viewerOf(call.caller))
  if (group.name === 'default' && !isAllowed(call.caller, 'delete_security_group:default'))
    throw new NetworkError(
      'SecurityGroupCannotRemoveDefault',
      'Insufficient rights for removing default security group.',
    )
  await call.db.transaction((trx) => deleteSecurityGroup(trx, group.id))
}

export async function remove(call: Call): Promise<Reply> {
  await removeGroup(call, call.params.id ?? '')
  return { status: 204 }
}

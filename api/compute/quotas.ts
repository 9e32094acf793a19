/** /os-quota-sets: what a project, or one of its users, may take. Source: nova/api/openstack/compute/quota_sets.py. */
import { z } from 'zod'
import { Forbidden, Invalid } from '../../core/errors.ts'
import type { Db } from '../../db/connect.ts'
import { countKeypairs } from '../../db/keypairs.ts'
import {
  defaultClass,
  quotasOf,
  quotasOfClass,
  removeQuotas,
  resources,
  setQuota,
  setUserQuota,
  useOf,
  type Quotas,
  type Resource,
} from '../../db/quotas.ts'
import { countServerGroups } from '../../db/server-groups.ts'
import { parseBody } from '../body.ts'
import { projectOf } from '../caller.ts'
import { at, type Microversion, type Since } from '../microversion.ts'
import { isAllowed } from '../policy.ts'
import type { Call, Reply } from '../route.ts'
import { bool, largest } from './fields.ts'
import { refuseKeys, refuseParameters, type Span } from './keys.ts'
import { refuseUnknownProject } from './project.ts'

const networkResources: readonly Resource[] = ['fixed_ips', 'floating_ips', 'security_groups', 'security_group_rules']
const fileResources: readonly Resource[] = ['injected_files', 'injected_file_content_bytes', 'injected_file_path_bytes']

/** What a version shows and takes: the network's own limits went at 2.36, injected files at 2.57. */
const shown: Since<readonly Resource[]> = [
  ['2.1', resources],
  ['2.36', resources.filter((resource) => !networkResources.includes(resource))],
  ['2.57', resources.filter((resource) => !networkResources.includes(resource) && !fileResources.includes(resource))],
]

export function resourcesAt(version: Microversion): readonly Resource[] {
  return at(shown, version) ?? resources
}

/** A limit as a body gives it: a number, or one as text; -1 = none. */
const limit = z
  .union([
    z.int(),
    z
      .string()
      .regex(/^-?[0-9]+$/)
      .transform(Number),
  ])
  .pipe(z.number().min(-1).max(largest))

/** The limits that bodies may hold. */
export const limitFields = {
  instances: limit.optional(),
  cores: limit.optional(),
  ram: limit.optional(),
  metadata_items: limit.optional(),
  injected_files: limit.optional(),
  injected_file_content_bytes: limit.optional(),
  injected_file_path_bytes: limit.optional(),
  key_pairs: limit.optional(),
  server_groups: limit.optional(),
  server_group_members: limit.optional(),
  fixed_ips: limit.optional(),
  floating_ips: limit.optional(),
  security_groups: limit.optional(),
  security_group_rules: limit.optional(),
} as const satisfies Record<Resource, unknown>

/** When limits went from bodies. */
export const limitSpans: Readonly<Record<string, Span>> = {
  ...Object.fromEntries(networkResources.map((resource) => [resource, { until: '2.36' }] as const)),
  ...Object.fromEntries(fileResources.map((resource) => [resource, { until: '2.57' }] as const)),
}

export function quotaView(quotas: Quotas, known: readonly Resource[]): Readonly<Record<string, number>> {
  return Object.fromEntries(known.map((resource) => [resource, quotas[resource]]))
}

/** The project that the path names. @throws Forbidden for another's, to who is no administrator; Invalid */
async function namedProject(call: Call): Promise<string> {
  const { project = '' } = call.params
  if (project !== projectOf(call.caller) && !isAllowed(call.caller, 'os_compute_api:os-quota-sets:other_project'))
    throw new Forbidden("Policy doesn't allow os_compute_api:os-quota-sets:show to be performed.")
  await refuseUnknownProject(call, project)
  return project
}

function userIn({ query }: Call): string | null {
  const userId = query.get('user_id')
  return userId === '' ? null : userId
}

export async function show(call: Call): Promise<Reply> {
  refuseParameters(call.query, ['user_id'], call.version)
  const project = await namedProject(call)
  const quotas = await quotasOf(call.db, project, userIn(call))
  return { status: 200, body: { quota_set: { id: project, ...quotaView(quotas, resourcesAt(call.version)) } } }
}

export async function defaults(call: Call): Promise<Reply> {
  refuseParameters(call.query, [], call.version)
  const project = await namedProject(call)
  const quotas = await quotasOfClass(call.db, defaultClass)
  return { status: 200, body: { quota_set: { id: project, ...quotaView(quotas, resourcesAt(call.version)) } } }
}

type Taken = Readonly<Partial<Record<Resource, number>>>

/** What is taken of each resource that can be counted for a project or a user. */
async function takenOf(db: Db, projectId: string, userId: string | null): Promise<Taken> {
  const use = await useOf(db, projectId, userId)
  const groups = await countServerGroups(db, projectId, userId)
  const keys = userId === null ? 0 : await countKeypairs(db, userId)
  return { ...use, server_groups: groups, key_pairs: keys }
}

/** With what is taken of it. */
export async function detail(call: Call): Promise<Reply> {
  refuseParameters(call.query, ['user_id'], call.version)
  const project = await namedProject(call)
  const user = userIn(call)
  const [quotas, taken] = await Promise.all([quotasOf(call.db, project, user), takenOf(call.db, project, user)])
  const view = resourcesAt(call.version).map(
    (resource) => [resource, { limit: quotas[resource], in_use: taken[resource] ?? 0, reserved: 0 }] as const,
  )
  return { status: 200, body: { quota_set: { id: project, ...Object.fromEntries(view) } } }
}

const unlimited = (value: number): number => (value === -1 ? Number.POSITIVE_INFINITY : value)

interface Bounds {
  readonly taken: Taken
  /** the project's own limits, when the limits of one of its users are set */
  readonly ceiling: Quotas | null
}

function checkBounds(resource: Resource, value: number, { taken, ceiling }: Bounds): void {
  const least = taken[resource] ?? 0
  if (unlimited(value) < least)
    throw new Invalid(
      `Quota limit ${value} for ${resource} must be greater than or equal to already used and reserved ${least}.`,
    )
  const most = ceiling?.[resource] ?? -1
  if (unlimited(value) > unlimited(most))
    throw new Invalid(`Quota limit ${value} for ${resource} must be less than or equal to ${most}.`)
}

const body = z.strictObject({ quota_set: z.strictObject({ ...limitFields, force: bool.optional() }) })

/** Without force, a limit below what is taken, or a user's above the project's, is refused. */
export async function update(call: Call): Promise<Reply> {
  const known = resourcesAt(call.version)
  const { force, ...limits } = parseBody(body, call.body).quota_set
  refuseKeys(limits, limitSpans, { version: call.version, field: 'quota_set' })
  refuseParameters(call.query, ['user_id'], call.version)
  const project = await namedProject(call)
  const userId = userIn(call)
  await call.db.transaction(async (trx) => {
    const bounds: Bounds = {
      taken: await takenOf(trx, project, userId),
      ceiling: userId === null ? null : await quotasOf(trx, project),
    }
    for (const resource of known) {
      const value = limits[resource]
      if (value === undefined) continue
      if (force !== true) checkBounds(resource, value, bounds)
      if (userId === null) await setQuota(trx, project, resource, value)
      else await setUserQuota(trx, { projectId: project, userId }, resource, value)
    }
  })
  return { status: 200, body: { quota_set: quotaView(await quotasOf(call.db, project, userId), known) } }
}

export async function remove(call: Call): Promise<Reply> {
  const { project = '' } = call.params
  await call.db.transaction((trx) => removeQuotas(trx, project, userIn(call)))
  return { status: 202 }
}

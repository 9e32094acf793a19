/** POST /servers: rows and jobs in one transaction. */
import { randomBytes, randomUUID } from 'node:crypto'
import { Invalid, OverQuota } from '../../../core/errors.ts'
import { reach } from '../../../core/failpoints.ts'
import type { PersonalFile } from '../../../core/jobs.ts'
import type { ServerFlavor } from '../../../core/server.ts'
import type { Transaction } from '../../../db/connect.ts'
import { endingWith } from '../../../db/ending.ts'
import { networkQuotasOf } from '../../../db/network-quotas.ts'
import type { NewServer } from '../../../db/new-servers.ts'
import { quotasOf, withinQuota, type ProjectUse } from '../../../db/quotas.ts'
import { viewerOf } from '../../caller.ts'
import type { Call, Reply } from '../../route.ts'
import { linksOf } from '../links.ts'
import { resolveBoot, resolveGroups, sshKeyOf, type BootSource } from './boot-source.ts'
import { countOf } from './count.ts'
import { parseCreate, type Asked, type CreateServer } from './create-body.ts'
import type { Hints } from './hints.ts'
import { checkMembers, resolveGroup, resolveTarget, type Target } from './target.ts'
import { defaultZone } from '../../../db/aggregates.ts'
import { hostnameOf } from './hostname.ts'
import { newPassword } from './new-password.ts'
import { resolveNics, withinPortQuota, type Nic } from './nics.ts'
import { personalFiles } from './personality.ts'
import { once } from './repeatable.ts'
import { writeServers } from './write.ts'

/** Everything that the servers of one request share. */
interface Plan {
  readonly wanted: CreateServer
  readonly count: number
  readonly boot: BootSource
  readonly nics: readonly Nic[]
  readonly securityGroupIds: readonly string[]
  readonly hints: Hints
  readonly target: Target
  readonly availabilityZone: string
  readonly serverGroupId: string | null
  readonly reservationId: string
  readonly adminPassword: string
  readonly personality: readonly PersonalFile[]
  readonly hasPortLimit: boolean
}

function checkCount(count: number, { nics, wanted }: { nics: readonly Nic[]; wanted: CreateServer }): void {
  if (count === 1) return
  if (nics.some((nic) => nic.kind === 'port'))
    throw new Invalid(
      'Unable to launch multiple instances with a single configured port ID. Please launch your instance one by one with different ports.',
    )
  if (nics.some((nic) => nic.kind === 'new' && nic.address !== null))
    throw new Invalid('Failed to launch instances: max_count cannot be greater than 1 if an fixed_ip is specified.')
  if (wanted.hostname !== undefined) throw new Invalid('Unable to allocate a single hostname to multiple instances')
}

/** @throws OverQuota */
async function checkMetadata(trx: Transaction, projectId: string, { metadata }: CreateServer): Promise<void> {
  const count = Object.keys(metadata ?? {}).length
  if (count === 0) return
  const { metadata_items: most } = await quotasOf(trx, projectId)
  if (most >= 0 && count > most) throw new OverQuota(`Maximum number of metadata items exceeds ${most}`)
}

function useOfMany(count: number, { vcpus, memoryMiB }: ServerFlavor): ProjectUse {
  return { instances: count, cores: count * vcpus, ram: count * memoryMiB }
}

/** Nothing of it leans on another's answer: all is asked at once. */
async function planFor(trx: Transaction, call: Call, { wanted, hints }: Asked): Promise<Plan> {
  const viewer = viewerOf(call.caller)
  const { projectId } = viewer
  const [, boot, nics, target, securityGroupIds, serverGroupId, personality, limits] = await Promise.all([
    checkMetadata(trx, projectId, wanted),
    resolveBoot(trx, wanted, { caller: call.caller, viewer }),
    resolveNics(trx, wanted.networks, viewer),
    resolveTarget(trx, wanted, call.caller),
    resolveGroups(trx, wanted.security_groups, projectId),
    resolveGroup(trx, hints, call.caller),
    personalFiles(trx, projectId, wanted.personality),
    networkQuotasOf(trx, projectId),
  ])
  const owner = { projectId, userId: call.caller.userId }
  const count = await countOf(trx, wanted, owner, useOfMany(1, boot.flavor))
  checkCount(count, { nics, wanted })
  return {
    wanted,
    count,
    boot,
    nics,
    securityGroupIds,
    hints,
    target,
    availabilityZone: target.pinnedZone ?? defaultZone,
    serverGroupId,
    reservationId: `r-${randomBytes(4).toString('hex')}`,
    adminPassword: wanted.adminPass ?? newPassword(),
    personality,
    hasPortLimit: limits.port >= 0,
  }
}

function rowOf(
  plan: Plan,
  owner: { readonly projectId: string; readonly userId: string },
  launchIndex: number,
): NewServer {
  const { wanted, boot } = plan
  const id = randomUUID()
  const name = plan.count > 1 ? `${wanted.name}-${launchIndex + 1}` : wanted.name
  return {
    ...owner,
    id,
    name,
    hostname: wanted.hostname ?? hostnameOf(name, id),
    description: wanted.description ?? null,
    flavor: boot.flavor,
    imageId: boot.image.id,
    imageReference: boot.image.reference,
    keyName: boot.key?.name ?? null,
    publicKey: sshKeyOf(boot.key),
    userData: wanted.user_data ?? null,
    metadata: wanted.metadata ?? {},
    configDrive: wanted.config_drive ?? false,
    availabilityZone: plan.availabilityZone,
    ...plan.target,
    hints: plan.hints,
    diskConfig: wanted['OS-DCF:diskConfig'] ?? 'MANUAL',
    serverGroupId: plan.serverGroupId,
    reservationId: plan.reservationId,
    launchIndex,
    accessIpv4: wanted.accessIPv4 ?? null,
    accessIpv6: wanted.accessIPv6 ?? null,
    tags: [...new Set(wanted.tags)],
  }
}

function reply({ root }: Call, { wanted, reservationId, adminPassword }: Plan, id: string): Reply {
  if (wanted.return_reservation_id === true) return { status: 202, body: { reservation_id: reservationId } }
  const server = {
    id,
    links: linksOf(root, 'servers', id),
    'OS-DCF:diskConfig': wanted['OS-DCF:diskConfig'] ?? 'MANUAL',
    security_groups: wanted.security_groups ?? [{ name: 'default' }],
    adminPass: adminPassword,
  }
  return { status: 202, body: { server }, headers: { Location: `${root}/compute/v2.1/servers/${id}` } }
}

async function writeAll(trx: Transaction, { requestId }: Call, plan: Plan, rows: readonly NewServer[]): Promise<void> {
  const { nics, availabilityZone, securityGroupIds, adminPassword, personality } = plan
  const files = personality.length === 0 ? {} : { personality: [...personality] }
  const made = {
    servers: rows,
    actions: rows.map(({ id: serverId, userId, projectId }) => ({
      serverId,
      requestId,
      action: 'create' as const,
      userId,
      projectId,
    })),
    jobs: rows.map(({ id: serverId }) => ({ serverId, requestId, adminPassword, ...files })),
  }
  const servers = rows.map(({ id: serverId, name, projectId }) => ({
    serverId,
    name,
    projectId,
    availabilityZone,
    securityGroupIds,
  }))
  await writeServers(trx, made, { servers, nics })
}

interface Made {
  readonly first: string
  readonly reply: Reply
  /** what the project's quota is to hold */
  readonly added: ProjectUse
}

async function createAll(trx: Transaction, call: Call, asked: Asked): Promise<Made> {
  const { projectId } = viewerOf(call.caller)
  const plan = await planFor(trx, call, asked)
  const { count } = plan
  const rows = Array.from({ length: count }, (_none, index) =>
    rowOf(plan, { projectId, userId: call.caller.userId }, index),
  )
  await writeAll(trx, call, plan, rows)
  if (plan.nics.length > 0 && plan.hasPortLimit) await withinPortQuota(trx, projectId)
  if (plan.serverGroupId !== null) await checkMembers(trx, plan.serverGroupId, projectId)
  const [first] = rows
  if (!first) throw new Invalid('min_count must be >= 1')
  const added = useOfMany(count, plan.boot.flavor)
  return { first: first.id, reply: reply(call, plan, first.id), added }
}

export async function create(call: Call): Promise<Reply> {
  const asked = parseCreate(call.body, call.version)
  const { projectId } = viewerOf(call.caller)
  const answer = await endingWith(call.db, async (trx) => {
    const { reply: value, made } = await once(trx, call, () => createAll(trx, call, asked))
    if (made === null) return { value, last: null }
    reach(call.config, 'api.create.written')
    return { value, last: () => withinQuota(trx, projectId, made.added, call.caller.userId) }
  })
  reach(call.config, 'api.create.committed')
  return answer
}

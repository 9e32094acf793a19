/** How much a project, and each of its users, may take. */
import { OverQuota } from '../core/errors.ts'
import type { Db, Transaction } from './connect.ts'

/** Nova's own defaults; -1 = no limit. Addresses and security groups are counted by the network API. */
const defaultQuotas = {
  instances: 10,
  cores: 20,
  ram: 50 * 1024,
  metadata_items: 128,
  injected_files: 5,
  injected_file_content_bytes: 10 * 1024,
  injected_file_path_bytes: 255,
  key_pairs: 100,
  server_groups: 10,
  server_group_members: 10,
  fixed_ips: -1,
  floating_ips: -1,
  security_groups: -1,
  security_group_rules: -1,
} as const
export type Resource = keyof typeof defaultQuotas
export type Quotas = Readonly<Record<Resource, number>>

export const resources: readonly Resource[] = [
  'instances',
  'cores',
  'ram',
  'metadata_items',
  'injected_files',
  'injected_file_content_bytes',
  'injected_file_path_bytes',
  'key_pairs',
  'server_groups',
  'server_group_members',
  'fixed_ips',
  'floating_ips',
  'security_groups',
  'security_group_rules',
]

/** The class whose limits hold for every project that has none of its own. */
export const defaultClass = 'default'

type Limits = Readonly<Partial<Record<Resource, number>>>

/** The limits of a class, over the built-in ones. */
export async function quotasOfClass(db: Db, name: string): Promise<Quotas> {
  return { ...defaultQuotas, ...limitsIn(await db('quota_classes').where({ class: name })) }
}

function limitsIn(rows: readonly { readonly resource: string; readonly hardLimit: number }[]): Limits {
  return Object.fromEntries(rows.map((row) => [row.resource, row.hardLimit]))
}

interface LimitRow {
  readonly resource: string
  readonly hardLimit: number
  /** a user's own stands above the project's, and that above the class's */
  readonly weight: 1 | 2 | 3
}

/** What a project may take, and what a user may take in it. */
async function quotasIn(
  db: Db,
  projectId: string,
  userId: string,
): Promise<{ readonly project: Quotas; readonly own: Quotas }> {
  const { rows } = await db
    .raw<{ rows: LimitRow[] }>(
      `select resource, hard_limit, 1 as weight from quota_classes where class = :defaultClass
       union all select resource, hard_limit, 2 from quotas where project_id = :projectId
       union all select resource, hard_limit, 3 from user_quotas where project_id = :projectId and user_id = :userId
       order by weight`,
      { defaultClass, projectId, userId },
    )
    .options({ name: 'quotas in a project' })
  const project = { ...defaultQuotas, ...limitsIn(rows.filter(({ weight }) => weight < 3)) }
  return { project, own: { ...project, ...limitsIn(rows.filter(({ weight }) => weight === 3)) } }
}

/** What a project may take; with a user, what this user may take in it. */
export async function quotasOf(db: Db, projectId: string, userId: string | null = null): Promise<Quotas> {
  return (await quotasIn(db, projectId, userId ?? '')).own
}

/** A project's quota of one resource from now on; -1 = no limit. */
export async function setQuota(db: Db, projectId: string, resource: Resource, hardLimit: number): Promise<void> {
  await db('quotas').insert({ projectId, resource, hardLimit }).onConflict(['projectId', 'resource']).merge()
}

/** A user's quota of one resource, in one project. */
export async function setUserQuota(
  db: Db,
  of: { readonly projectId: string; readonly userId: string },
  resource: Resource,
  hardLimit: number,
): Promise<void> {
  await db('user_quotas')
    .insert({ ...of, resource, hardLimit })
    .onConflict(['projectId', 'userId', 'resource'])
    .merge()
}

export async function setClassQuota(db: Db, name: string, resource: Resource, hardLimit: number): Promise<void> {
  await db('quota_classes').insert({ class: name, resource, hardLimit }).onConflict(['class', 'resource']).merge()
}

/** The defaults hold again: for the project and all its users, or for one of its users. */
export async function removeQuotas(trx: Transaction, projectId: string, userId: string | null): Promise<void> {
  await trx('user_quotas')
    .where({ projectId, ...(userId === null ? {} : { userId }) })
    .delete()
  if (userId === null) await trx('quotas').where({ projectId }).delete()
}

/** What a project's servers take; one that is being resized takes the larger size, until that is confirmed or reverted. */
export interface ProjectUse {
  readonly instances: number
  readonly cores: number
  readonly ram: number
}

/** Out of an index alone (migrations/087-servers-counted.ts); of the few that are being resized, what the larger size adds. */
export async function useOf(db: Db, projectId: string, userId: string | null = null): Promise<ProjectUse> {
  const { rows } = await db
    .raw<{ rows: ProjectUse[] }>(
      `with held as (
         select count(*) as instances, sum(vcpus) as cores, sum(memory_mib) as ram from servers
         where project_id = :projectId and coalesce(user_id = :userId::text, true)
           and deleted_at is null and (vm_state <> 'soft-delete' or task_state = 'restoring')
       ), added as (
         select sum(greatest((m.old_flavor->>'vcpus')::int - s.vcpus, (m.new_flavor->>'vcpus')::int - s.vcpus, 0)) as cores,
                sum(greatest((m.old_flavor->>'memoryMiB')::int - s.memory_mib, (m.new_flavor->>'memoryMiB')::int - s.memory_mib, 0)) as ram
         from server_migrations m join servers s on s.id = m.server_id
         where m.status in ('pre-migrating', 'migrating', 'post-migrating', 'finished')
           and s.project_id = :projectId and coalesce(s.user_id = :userId::text, true)
           and s.deleted_at is null and (s.vm_state <> 'soft-delete' or s.task_state = 'restoring')
       )
       select instances::int, (coalesce(held.cores, 0) + coalesce(added.cores, 0))::int as cores,
              (coalesce(held.ram, 0) + coalesce(added.ram, 0))::int as ram from held, added`,
      { projectId, userId },
    )
    .options({ name: 'use of a project' })
  return rows[0] ?? { instances: 0, cores: 0, ram: 0 }
}

const counted = ['instances', 'cores', 'ram'] as const

function refuseExcess(quotas: Quotas, now: ProjectUse, asked: ProjectUse): void {
  for (const resource of counted) {
    const limit = quotas[resource]
    if (limit < 0 || asked[resource] <= 0 || now[resource] <= limit) continue
    throw new OverQuota(
      `Quota exceeded for ${resource}: Requested ${asked[resource]}, but already used ` +
        `${now[resource] - asked[resource]} of ${limit} ${resource}`,
    )
  }
}

/** Waits for other requests that count the same, until the transaction ends. */
async function takeTurns(trx: Transaction, what: string): Promise<void> {
  await trx.raw('select pg_advisory_xact_lock(hashtext(?))', [`quota ${what}`]).options({ name: 'turn' })
}

/**
 * Call it last in the transaction that inserted the servers: it waits for others of the project, then counts, so that two requests
 * at once do not both take the last place.
 *
 * @param asked  what the transaction has added
 * @param userId also this user's own quota in the project is held
 * @throws       OverQuota
 */
export async function withinQuota(
  trx: Transaction,
  projectId: string,
  asked: ProjectUse,
  userId: string | null = null,
): Promise<void> {
  const { project: quotas, own } = await quotasIn(trx, projectId, userId ?? '')
  const isSame = counted.every((resource) => own[resource] === quotas[resource])
  if (isSame && counted.every((resource) => quotas[resource] < 0)) return
  // Sent together, done one after the other: what is counted is what stands when the turn has come.
  const [, use] = await Promise.all([takeTurns(trx, projectId), useOf(trx, projectId)])
  refuseExcess(quotas, use, asked)
  if (!isSame) refuseExcess(own, await useOf(trx, projectId, userId), asked)
}

/**
 * Call it last in the transaction that added one of something: it waits for others that do, then counts.
 *
 * @param held.what  whose things are counted, such as 'key pairs of user 7'
 * @param held.count counts them, the new one among them
 * @throws           OverQuota with this sentence
 */
export async function withinCount(
  trx: Transaction,
  limit: number,
  held: { readonly what: string; readonly count: () => Promise<number>; readonly sentence: string },
): Promise<void> {
  if (limit < 0) return
  await takeTurns(trx, held.what)
  if ((await held.count()) > limit) throw new OverQuota(held.sentence)
}

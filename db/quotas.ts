/** How much a project, and each of its users, may take. */
import { z } from 'zod'
import { hasCode, OverQuota } from '../core/errors.ts'
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

/** What a project may take; with a user, what this user may take in it. */
export async function quotasOf(db: Db, projectId: string, userId: string | null = null): Promise<Quotas> {
  const { rows } = await db
    .raw<{ rows: { resource: string; hardLimit: number }[] }>(
      `select resource, hard_limit, 1 as weight from quota_classes where class = :defaultClass
       union all select resource, hard_limit, 2 from quotas where project_id = :projectId
       union all select resource, hard_limit, 3 from user_quotas where project_id = :projectId and user_id = :userId
       order by weight`,
      { defaultClass, projectId, userId },
    )
    .options({ name: 'quotas in a project' })
  // A user's own stands above the project's, and that above the class's.
  return { ...defaultQuotas, ...limitsIn(rows) }
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

export async function useOf(db: Db, projectId: string, userId: string | null = null): Promise<ProjectUse> {
  const { rows } = await db.raw<{ rows: ProjectUse[] }>('select * from use_of(?, ?)', [projectId, userId])
  return rows[0] ?? { instances: 0, cores: 0, ram: 0 }
}

/** How many times `each` goes into what is left of a quota. */
function timesIn(limits: Quotas, taken: ProjectUse, each: ProjectUse): number {
  const resources = ['instances', 'cores', 'ram'] as const
  const rooms = resources.map((name) =>
    limits[name] < 0 || each[name] === 0 ? Infinity : Math.floor((limits[name] - taken[name]) / each[name]),
  )
  return Math.max(0, Math.min(...rooms))
}

/** How many more servers of this size the quotas of a project and of its user let in now. */
export async function roomOf(
  db: Db,
  { projectId, userId }: { readonly projectId: string; readonly userId: string },
  each: ProjectUse,
): Promise<number> {
  const [ofAll, ofUser] = await Promise.all([
    Promise.all([quotasOf(db, projectId), useOf(db, projectId)]),
    Promise.all([quotasOf(db, projectId, userId), useOf(db, projectId, userId)]),
  ])
  return Math.min(...[ofAll, ofUser].map(([limits, taken]) => timesIn(limits, taken, each)))
}

/** Waits for other requests that count the same, until the transaction ends. */
async function takeTurns(trx: Transaction, what: string): Promise<void> {
  await trx.raw('select pg_advisory_xact_lock(hashtext(?))', [`quota ${what}`])
}

/** What the database's function says of what it refused. */
const excess = z.object({ resource: z.string(), asked: z.int(), used: z.int(), limit: z.int() })

function refusalOf(error: unknown): unknown {
  if (!(error instanceof Error) || !hasCode(error, 'BQ001') || !('detail' in error)) return error
  const { resource, asked, used, limit } = excess.parse(JSON.parse(String(error.detail)))
  const sentence = `Requested ${asked}, but already used ${used - asked} of ${limit} ${resource}`
  return new OverQuota(`Quota exceeded for ${resource}: ${sentence}`, { cause: error })
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
  const { instances, cores, ram } = defaultQuotas
  const defaults = { instances, cores, ram }
  try {
    await trx
      .raw('select hold_quota(:projectId, :userId, :asked, :defaults)', {
        projectId,
        userId,
        asked: { ...asked },
        defaults,
      })
      .options({ name: 'quota held' })
  } catch (error) {
    throw refusalOf(error)
  }
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

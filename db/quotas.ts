import { OverQuota } from '../core/errors.ts'
import type { Db, Transaction } from './connect.ts'

/** Nova's own defaults; -1 = no limit. */
export const defaultQuotas = {
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
} as const
export type Resource = keyof typeof defaultQuotas
export type Quotas = Readonly<Record<Resource, number>>

export async function quotasOf(db: Db, projectId: string): Promise<Quotas> {
  const rows = await db('quotas').where({ projectId })
  const own: Readonly<Record<string, number>> = Object.fromEntries(rows.map((row) => [row.resource, row.hardLimit]))
  return { ...defaultQuotas, ...own }
}

/** A project's quota of one resource from now on; -1 = no limit. */
export async function setQuota(db: Db, projectId: string, resource: Resource, hardLimit: number): Promise<void> {
  await db('quotas').insert({ projectId, resource, hardLimit }).onConflict(['projectId', 'resource']).merge()
}

/** What a project's servers take. */
export interface ProjectUse {
  readonly instances: number
  readonly cores: number
  readonly ram: number
}

export async function useOf(db: Db, projectId: string): Promise<ProjectUse> {
  const { rows } = await db.raw<{ rows: ProjectUse[] }>(
    `select count(*)::int as instances, coalesce(sum((flavor->>'vcpus')::int), 0)::int as cores,
            coalesce(sum((flavor->>'memoryMiB')::int), 0)::int as ram
     from servers where project_id = ? and deleted_at is null`,
    [projectId],
  )
  return rows[0] ?? { instances: 0, cores: 0, ram: 0 }
}

/**
 * Call it last in the transaction that inserted the servers: it waits for others of the project, then counts, so that two requests
 * at once do not both take the last place.
 *
 * @param asked what the transaction has added
 * @throws      OverQuota
 */
export async function withinQuota(trx: Transaction, projectId: string, asked: ProjectUse): Promise<void> {
  const quotas = await quotasOf(trx, projectId)
  if (quotas.instances < 0 && quotas.cores < 0 && quotas.ram < 0) return
  await trx.raw('select pg_advisory_xact_lock(hashtext(?))', [`quota ${projectId}`])
  const now = await useOf(trx, projectId)
  for (const resource of ['instances', 'cores', 'ram'] as const) {
    const limit = quotas[resource]
    if (limit < 0 || now[resource] <= limit) continue
    throw new OverQuota(
      `Quota exceeded for ${resource}: Requested ${asked[resource]}, but already used ` +
        `${now[resource] - asked[resource]} of ${limit} ${resource}`,
    )
  }
}

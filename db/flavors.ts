/** Sizes of servers, and which projects may use those that are not public. */
import { Conflict, NotFound } from '../core/errors.ts'
import type { Db, Transaction } from './connect.ts'
import type { FlavorRow } from './tables.ts'

/** Sort keys of the API, and what they sort by; never null, so that a page can begin after any row. */
export const flavorSortKeys = {
  flavorid: 'id',
  id: 'id',
  name: 'name',
  memory_mb: 'memory_mib',
  root_gb: 'disk_gib',
  vcpus: 'vcpus',
  swap: 'swap_mib',
  ephemeral_gb: 'ephemeral_gib',
  rxtx_factor: 'rxtx_factor',
  is_public: 'is_public',
  created_at: 'created_at',
} as const
export type FlavorSortKey = keyof typeof flavorSortKeys

export interface FlavorFilter {
  /** null = both */
  readonly isPublic: boolean | null
  /** whose private flavors count as public */
  readonly projectId: string | null
  readonly minMemoryMiB: number
  readonly minDiskGiB: number
  readonly limit: number
  readonly marker: string | null
  readonly sortBy: FlavorSortKey
  readonly direction: 'asc' | 'desc'
}

/** @throws NotFound */
export async function getFlavor(db: Db, id: string): Promise<FlavorRow> {
  const row = await db('flavors').where({ id }).first().options({ name: 'a flavor' })
  if (!row) throw new NotFound('Flavor', id)
  return row
}

const granted = 'exists (select from flavor_projects p where p.flavor_id = flavors.id and p.project_id = ?)'

/** In the wanted order, from the marker on. The marker must exist: the caller has looked. */
export async function listFlavors(db: Db, filter: FlavorFilter): Promise<readonly FlavorRow[]> {
  const column = flavorSortKeys[filter.sortBy]
  const query = db('flavors')
    .where('memoryMiB', '>=', filter.minMemoryMiB)
    .where('diskGiB', '>=', filter.minDiskGiB)
    .orderBy([
      { column, order: filter.direction },
      { column: 'id', order: filter.direction },
    ])
    .limit(filter.limit)
  if (filter.isPublic === true) void query.whereRaw(`(is_public or ${granted})`, [filter.projectId ?? ''])
  if (filter.isPublic === false) void query.where({ isPublic: false })
  if (filter.marker !== null) {
    const sign = filter.direction === 'asc' ? '>' : '<'
    void query.whereRaw(`(??, id) ${sign} (select ??, id from flavors where id = ?)`, [column, column, filter.marker])
  }
  return await query
}

/** Whether this project may use the flavor although it is not public. */
export async function isGranted(db: Db, flavorId: string, projectId: string): Promise<boolean> {
  return (await db('flavor_projects').where({ flavorId, projectId }).first()) !== undefined
}

/** @throws Conflict when its id or its name is taken */
export async function insertFlavor(trx: Transaction, flavor: Omit<FlavorRow, 'createdAt'>): Promise<FlavorRow> {
  const [row] = await trx('flavors').insert(flavor).onConflict().ignore().returning('*')
  if (row) return row
  const sameId = await trx('flavors').where({ id: flavor.id }).first()
  throw new Conflict(
    sameId ? `Flavor with ID ${flavor.id} already exists.` : `Flavor with name ${flavor.name} already exists.`,
  )
}

/** Servers keep theirs as it was. @throws NotFound */
export async function deleteFlavor(trx: Transaction, id: string): Promise<void> {
  if ((await trx('flavors').where({ id }).delete()) === 0) throw new NotFound('Flavor', id)
}

/** @throws NotFound */
export async function describeFlavor(trx: Transaction, id: string, description: string | null): Promise<FlavorRow> {
  const [row] = await trx('flavors').where({ id }).update({ description }).returning('*')
  if (!row) throw new NotFound('Flavor', id)
  return row
}

/** Adds extra specs, and changes those that are there. @throws NotFound */
export async function mergeExtraSpecs(
  trx: Transaction,
  id: string,
  specs: Readonly<Record<string, string>>,
): Promise<void> {
  const changed = await trx('flavors')
    .where({ id })
    .update({ extraSpecs: trx.raw('extra_specs || ?::jsonb', [JSON.stringify(specs)]) })
  if (changed === 0) throw new NotFound('Flavor', id)
}

/** @returns false when the flavor has none of this name */
export async function removeExtraSpec(trx: Transaction, id: string, key: string): Promise<boolean> {
  const changed = await trx('flavors')
    .where({ id })
    .whereRaw('jsonb_exists(extra_specs, ?)', [key])
    .update({ extraSpecs: trx.raw('extra_specs - ?::text', [key]) })
  return changed > 0
}

/** The projects that may use a private flavor. */
export async function projectsOf(db: Db, flavorId: string): Promise<readonly string[]> {
  const rows = await db('flavor_projects').where({ flavorId }).orderBy('projectId').select('projectId')
  return rows.map(({ projectId }) => projectId)
}

/** @returns false when the project may use it already */
export async function grant(trx: Transaction, flavorId: string, projectId: string): Promise<boolean> {
  const rows = await trx('flavor_projects').insert({ flavorId, projectId }).onConflict().ignore().returning('flavorId')
  return rows.length > 0
}

/** @returns false when the project could not use it anyway */
export async function revoke(trx: Transaction, flavorId: string, projectId: string): Promise<boolean> {
  return (await trx('flavor_projects').where({ flavorId, projectId }).delete()) > 0
}

import { NotFound } from '../core/errors.ts'
import type { Db } from './connect.ts'
import type { FlavorRow } from './tables.ts'

export interface FlavorFilter {
  /** null = both */
  readonly isPublic: boolean | null
  readonly minMemoryMiB: number
  readonly minDiskGiB: number
  readonly limit: number
  readonly marker: string | null
}

/** @throws NotFound */
export async function getFlavor(db: Db, id: string): Promise<FlavorRow> {
  const row = await db('flavors').where({ id }).first()
  if (!row) throw new NotFound('Flavor', id)
  return row
}

/** By id, from the marker on. The marker must exist: the caller has looked. */
export async function listFlavors(db: Db, filter: FlavorFilter): Promise<readonly FlavorRow[]> {
  const query = db('flavors')
    .where('memoryMiB', '>=', filter.minMemoryMiB)
    .where('diskGiB', '>=', filter.minDiskGiB)
    .orderBy('id')
    .limit(filter.limit)
  if (filter.isPublic !== null) void query.where({ isPublic: filter.isPublic })
  if (filter.marker !== null) void query.where('id', '>', filter.marker)
  return await query
}

import { randomUUID } from 'node:crypto'
import { Conflict, NotFound } from '../core/errors.ts'
import { isUuid } from '../core/uuid.ts'
import type { Db } from './connect.ts'
import type { ImageRow } from './tables.ts'

/** Who looks: an administrator sees all, a project its own and the public ones. */
export interface Viewer {
  readonly projectId: string
  readonly isAdmin: boolean
}

export interface ImageFilter {
  readonly names: readonly string[] | null
  readonly ids: readonly string[] | null
  readonly statuses: readonly string[] | null
  readonly visibility: ImageRow['visibility'] | null
  readonly owner: string | null
  readonly tags: readonly string[]
  readonly limit: number
  /** id of the last image of the page before */
  readonly marker: string | null
  readonly sort: {
    readonly by: 'created_at' | 'updated_at' | 'name' | 'id' | 'status'
    readonly direction: 'asc' | 'desc'
  }
}

const visible = `(visibility in ('public', 'community') or project_id = ?)`

/** @throws NotFound when there is none that the viewer may see */
export async function getImage(db: Db, id: string, { projectId, isAdmin }: Viewer): Promise<ImageRow> {
  if (!isUuid(id)) throw new NotFound('Image', id)
  const row = await db('images')
    .where({ id })
    .whereNot({ status: 'deleted' })
    .whereRaw(`(? or ${visible})`, [isAdmin, projectId])
    .first()
  if (!row) throw new NotFound('Image', id)
  return row
}

/** The row, also of a deleted image; null when there never was one. */
export async function findImage(db: Db, id: string): Promise<ImageRow | null> {
  return (await db('images').where({ id }).first()) ?? null
}

/** In the wanted order, then by id; the page after `marker`. */
export async function listImages(
  db: Db,
  filter: ImageFilter,
  { projectId, isAdmin }: Viewer,
): Promise<readonly ImageRow[]> {
  const { by, direction } = filter.sort
  const query = db('images')
    .whereNot({ status: 'deleted' })
    .whereRaw(`(? or ${visible})`, [isAdmin, projectId])
    .orderBy([
      { column: by, order: direction },
      { column: 'id', order: direction },
    ])
    .limit(filter.limit)
  if (filter.names !== null) void query.whereIn('name', [...filter.names])
  if (filter.ids !== null) void query.whereIn('id', filter.ids.filter(isUuid))
  if (filter.statuses !== null) void query.whereRaw('status = any(?)', [[...filter.statuses]])
  if (filter.visibility !== null) void query.where({ visibility: filter.visibility })
  if (filter.owner !== null) void query.where({ projectId: filter.owner })
  if (filter.tags.length > 0) void query.whereRaw('tags @> ?', [[...filter.tags]])
  if (filter.marker !== null)
    void query.whereRaw(`(??, id) ${direction === 'asc' ? '>' : '<'} (select ??, id from images where id = ?)`, [
      by,
      by,
      filter.marker,
    ])
  return await query
}

export interface NewImage {
  readonly name: string
  /** registry reference by digest */
  readonly reference: string
  readonly sizeBytes: number
  readonly properties: Readonly<Record<string, string>>
}

/**
 * A public image that guests can be made of. One of this name and reference is left as it is; one of this name with another reference
 * keeps its id for the servers made of it and loses the name.
 *
 * @returns the image that now bears the name
 */
export async function addImage(db: Db, { name, reference, sizeBytes, properties }: NewImage): Promise<ImageRow> {
  return await db.transaction(async (trx) => {
    await trx.raw('select pg_advisory_xact_lock(hashtext(?))', [`image ${name}`])
    const present = await trx('images').where({ name, reference, status: 'active', visibility: 'public' }).first()
    if (present) return present
    await trx('images')
      .where({ name, visibility: 'public' })
      .update({ name: trx.raw(`name || ' until ' || to_char(now(), 'YYYY-MM-DD HH24:MI')`), visibility: 'community' })
    const [row] = await trx('images')
      .insert({
        id: randomUUID(),
        name,
        status: 'active',
        visibility: 'public',
        reference,
        sizeBytes,
        properties,
      })
      .returning('*')
    if (!row) throw new Conflict(`Image ${name} was not added`)
    return row
  })
}

import { randomUUID } from 'node:crypto'
import type { Knex } from 'knex'
import { Conflict, NotFound } from '../core/errors.ts'
import { isUuid } from '../core/uuid.ts'
import type { Db, Transaction } from './connect.ts'
import type { ImageMemberRow, ImageRow } from './tables.ts'

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
  /** properties, each with the value it must have */
  readonly properties: Readonly<Record<string, string>>
  /** columns of its own, each with the value it must have */
  readonly equal: Readonly<Partial<Pick<ImageRow, 'diskFormat' | 'containerFormat' | 'isProtected' | 'checksum'>>>
  readonly atLeast: Readonly<Partial<Pick<ImageRow, 'sizeBytes' | 'minMemoryMiB' | 'minDiskGiB' | 'updatedAt'>>>
  readonly atMost: Readonly<Partial<Pick<ImageRow, 'sizeBytes'>>>
  readonly isHidden: boolean
  /** of the images that others share with the viewer's project, those it has answered so */
  readonly memberStatus: ImageMemberRow['status'] | 'all'
  readonly limit: number
  /** id of the last image of the page before */
  readonly marker: string | null
  readonly sort: {
    readonly by: 'created_at' | 'updated_at' | 'name' | 'id' | 'status'
    readonly direction: 'asc' | 'desc'
  }
}

/** Whoever knows its id sees what is public, of the community, its own, or shared with it. */
const known = `(? or visibility in ('public', 'community') or project_id = ?
  or visibility = 'shared' and id in (select image_id from image_members where project_id = ?))`

/** @throws NotFound when there is none that the viewer may see */
export async function getImage(db: Db, id: string, { projectId, isAdmin }: Viewer): Promise<ImageRow> {
  if (!isUuid(id)) throw new NotFound('Image', id)
  const row = await db('images')
    .where({ id })
    .whereNot({ status: 'deleted' })
    .whereRaw(known, [isAdmin, projectId, projectId])
    .first()
    .options({ name: 'an image' })
  if (!row) throw new NotFound('Image', id)
  return row
}

/** The row, also of a deleted image; null when there never was one. */
export async function findImage(db: Db, id: string): Promise<ImageRow | null> {
  return (await db('images').where({ id }).first()) ?? null
}

/** The row, held until the transaction ends. @throws NotFound */
export async function lockImage(trx: Transaction, id: string): Promise<ImageRow> {
  const row = await trx('images').where({ id }).whereNot({ status: 'deleted' }).forUpdate().first()
  if (!row) throw new NotFound('Image', id)
  return row
}

/** Lists leave out what others gave to the community, unless it is asked for, and what the viewer has not accepted. */
function whereListed(query: Knex.QueryBuilder, filter: ImageFilter, { projectId, isAdmin }: Viewer): void {
  const { visibility, memberStatus } = filter
  if (visibility !== null) void query.where({ visibility })
  void query.whereRaw(
    `(? or visibility = 'public' or project_id = ? or visibility = 'community' and ?
      or visibility = 'shared' and id in (select image_id from image_members where project_id = ? and (? = 'all' or status = ?)))`,
    [isAdmin, projectId, visibility === 'community', projectId, memberStatus, memberStatus],
  )
}

function whereFields(query: Knex.QueryBuilder, filter: ImageFilter): void {
  const { names, ids, statuses, owner, tags, properties } = filter
  if (names !== null) void query.whereIn('name', [...names])
  if (ids !== null) void query.whereIn('id', ids.filter(isUuid))
  if (statuses !== null) void query.whereRaw('status = any(?)', [[...statuses]])
  if (owner !== null) void query.where({ projectId: owner })
  if (tags.length > 0) void query.whereRaw('tags @> ?', [[...tags]])
  if (Object.keys(properties).length > 0) void query.whereRaw('properties @> ?::jsonb', [JSON.stringify(properties)])
  void query.where({ ...filter.equal, isHidden: filter.isHidden })
  for (const [column, least] of Object.entries(filter.atLeast)) void query.where(column, '>=', least)
  for (const [column, most] of Object.entries(filter.atMost)) void query.where(column, '<=', most)
}

/** The newest image that was taken of a server and is whole; null when there is none. */
export async function newestImageOf(db: Db, serverId: string): Promise<ImageRow | null> {
  return (await db('images').where({ serverId, status: 'active' }).orderBy('createdAt', 'desc').first()) ?? null
}

/** In the wanted order, then by id; the page after `marker`. */
export async function listImages(db: Db, filter: ImageFilter, viewer: Viewer): Promise<readonly ImageRow[]> {
  const { by, direction } = filter.sort
  const query = db('images')
    .whereNot({ status: 'deleted' })
    .orderBy([
      { column: by, order: direction },
      { column: 'id', order: direction },
    ])
    .limit(filter.limit)
  whereListed(query, filter, viewer)
  whereFields(query, filter)
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

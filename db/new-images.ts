/** Images that users make: they begin without bytes, get them, and end. */
import { randomUUID } from 'node:crypto'
import { NotFound } from '../core/errors.ts'
import type { Db } from './connect.ts'
import type { ImageRow } from './tables.ts'

export type ImageFields = Partial<
  Pick<
    ImageRow,
    | 'name'
    | 'visibility'
    | 'minMemoryMiB'
    | 'minDiskGiB'
    | 'isProtected'
    | 'isHidden'
    | 'properties'
    | 'tags'
    | 'diskFormat'
    | 'containerFormat'
    | 'serverId'
    | 'parentId'
  >
>

/** An image of a project's that waits for its bytes. */
export async function insertImage(
  db: Db,
  { id = randomUUID(), projectId, ...fields }: ImageFields & { readonly id?: string; readonly projectId: string },
): Promise<ImageRow> {
  const { name = '', visibility = 'private', tags = [], ...rest } = fields
  const [row] = await db('images')
    .insert({ id, projectId, name, visibility, status: 'queued', tags: [...tags], ...rest })
    .returning('*')
  if (!row) throw new NotFound('Image', id)
  return row
}

/** The bytes of an image, and what it can be booted by. */
export interface Bytes {
  /** registry reference by digest */
  readonly reference: string
  readonly sizeBytes: number
  /** of what boots */
  readonly layers: number
  /** of the uploaded file, as the registry knows it; null when the file is made when it is asked for */
  readonly fileDigest: string | null
  readonly checksum: string | null
  readonly sha512: string | null
}

/** @returns false when the image was deleted meanwhile */
export async function activateImage(db: Db, id: string, bytes: Bytes): Promise<boolean> {
  const changed = await db('images')
    .where({ id })
    .whereIn('status', ['queued', 'uploading', 'importing', 'saving'])
    .update({ ...bytes, status: 'active', updatedAt: db.fn.now() })
  return changed > 0
}

/** Its bytes are here; it waits for the word that they are whole. @returns false when the image was deleted meanwhile */
export async function stageImage(db: Db, id: string, bytes: Bytes): Promise<boolean> {
  const changed = await db('images')
    .where({ id, status: 'uploading' })
    .update({ ...bytes, updatedAt: db.fn.now() })
  return changed > 0
}

/** @returns false when it has no bytes that wait */
export async function importStaged(db: Db, id: string): Promise<boolean> {
  const changed = await db('images')
    .where({ id, status: 'uploading' })
    .whereNotNull('reference')
    .update({ status: 'active', updatedAt: db.fn.now() })
  return changed > 0
}

/** Moves an image from one of these states. @returns whether it was in one */
export async function moveImage(
  db: Db,
  id: string,
  from: readonly ImageRow['status'][],
  to: ImageRow['status'],
): Promise<boolean> {
  const changed = await db('images')
    .where({ id })
    .whereIn('status', [...from])
    .update({ status: to, updatedAt: db.fn.now() })
  return changed > 0
}

/** The row stays, marked; servers made of it go on. Deleting what is deleted succeeds. */
export async function deleteImage(db: Db, id: string): Promise<void> {
  await db('images')
    .where({ id })
    .whereNot({ status: 'deleted' })
    .update({ status: 'deleted', deletedAt: db.fn.now(), updatedAt: db.fn.now() })
}

const unfinished: readonly ImageRow['status'][] = ['queued', 'saving']

/** Images of a server's disk that nobody works on any more. */
export async function dropUnfinishedImages(db: Db, serverId: string): Promise<void> {
  await db('images')
    .where({ serverId })
    .whereIn('status', [...unfinished])
    .update({ status: 'deleted', deletedAt: db.fn.now(), updatedAt: db.fn.now() })
}

export async function updateImage(db: Db, id: string, fields: ImageFields): Promise<ImageRow> {
  const { tags, ...rest } = fields
  const [row] = await db('images')
    .where({ id })
    .whereNot({ status: 'deleted' })
    .update({ ...rest, ...(tags === undefined ? {} : { tags: [...tags] }), updatedAt: db.fn.now() })
    .returning('*')
  if (!row) throw new NotFound('Image', id)
  return row
}

/**
 * Of a server's backups of one type, only the newest stay: as many as this one's own rotation says. Does nothing for another image.
 * Source: nova/compute/manager.py, _rotate_backups.
 */
export async function rotateBackups(db: Db, imageId: string): Promise<void> {
  await db.raw(
    `with this as (select server_id, properties->>'backup_type' as type, (properties->>'berth_rotation')::int as rotation
                   from images where id = ? and properties->>'image_type' = 'backup'),
          ranked as (select i.id, this.rotation, row_number() over (order by i.created_at desc, i.id desc) as place
                     from images i join this on i.server_id = this.server_id
                     where i.status = 'active' and i.properties->>'image_type' = 'backup'
                       and i.properties->>'backup_type' = this.type and not i.is_protected)
     update images set status = 'deleted', deleted_at = now(), updated_at = now()
     from ranked where images.id = ranked.id and ranked.place > ranked.rotation`,
    [imageId],
  )
}

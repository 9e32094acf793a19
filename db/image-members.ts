/** Projects that an image is shared with. */
import type { Db } from './connect.ts'
import type { ImageMemberRow } from './tables.ts'

/** @param projectId only this one; null = all, oldest first */
export async function listMembers(
  db: Db,
  imageId: string,
  projectId: string | null,
): Promise<readonly ImageMemberRow[]> {
  const query = db('image_members').where({ imageId }).orderBy(['createdAt', 'projectId'])
  if (projectId !== null) void query.where({ projectId })
  return await query
}

/** @returns null when the project is a member already */
export async function addMember(db: Db, imageId: string, projectId: string): Promise<ImageMemberRow | null> {
  const [row] = await db('image_members').insert({ imageId, projectId }).onConflict().ignore().returning('*')
  return row ?? null
}

export async function answerMember(
  db: Db,
  { imageId, projectId }: Pick<ImageMemberRow, 'imageId' | 'projectId'>,
  status: ImageMemberRow['status'],
): Promise<ImageMemberRow | null> {
  const [row] = await db('image_members')
    .where({ imageId, projectId })
    .update({ status, updatedAt: db.fn.now() })
    .returning('*')
  return row ?? null
}

/** @returns false when the project was no member */
export async function removeMember(db: Db, imageId: string, projectId: string): Promise<boolean> {
  return (await db('image_members').where({ imageId, projectId }).delete()) > 0
}

import { Conflict, NotFound } from '../core/errors.ts'
import type { Db } from './connect.ts'
import type { KeypairRow } from './tables.ts'

export type NewKeypair = Omit<KeypairRow, 'createdAt' | 'number'>

/** @throws NotFound */
export async function getKeypair(db: Db, userId: string, name: string): Promise<KeypairRow> {
  const row = await db('keypairs').where({ userId, name }).first()
  if (!row) throw new NotFound('Keypair', `${name} for user ${userId}`)
  return row
}

export async function listKeypairs(
  db: Db,
  userId: string,
  page: { readonly limit: number; readonly marker: string | null },
): Promise<readonly KeypairRow[]> {
  const query = db('keypairs').where({ userId }).orderBy('name').limit(page.limit)
  if (page.marker !== null) void query.where('name', '>', page.marker)
  return await query
}

/** @throws Conflict when the user has one of this name */
export async function insertKeypair(db: Db, keypair: NewKeypair): Promise<KeypairRow> {
  const [row] = await db('keypairs').insert(keypair).onConflict(['userId', 'name']).ignore().returning('*')
  if (!row) throw new Conflict(`Key pair '${keypair.name}' already exists.`)
  return row
}

/** @throws NotFound */
export async function deleteKeypair(db: Db, userId: string, name: string): Promise<void> {
  const gone = await db('keypairs').where({ userId, name }).delete()
  if (gone === 0) throw new NotFound('Keypair', `${name} for user ${userId}`)
}

export async function countKeypairs(db: Db, userId: string): Promise<number> {
  const [row] = await db('keypairs').where({ userId }).count({ count: '*' })
  return Number(row?.count ?? 0)
}

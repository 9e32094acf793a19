import type { Db } from './connect.ts'

/** Names of all hosts, whatever their state. */
export async function hostNames(db: Db): Promise<readonly string[]> {
  return await db('hosts').orderBy('name').pluck('name')
}

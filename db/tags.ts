import type { Db } from './connect.ts'

/** Tables of the network whose rows have tags. */
export type TaggedTable = 'networks' | 'subnets' | 'ports' | 'security_groups'

/** These tags from now on, each once, in the order of the alphabet. */
export async function setTags(
  db: Db,
  table: TaggedTable,
  id: string,
  tags: readonly string[],
): Promise<readonly string[]> {
  const sorted = [...new Set(tags)].sort()
  await db.raw('update ?? set tags = ? where id = ?', [table, sorted, id])
  return sorted
}

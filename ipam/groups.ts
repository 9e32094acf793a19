/** A pool group is an ordered list of pools, tried in turn. */
import { randomUUID } from 'node:crypto'
import { Conflict, NotFound } from '../core/errors.ts'
import { isUuid } from '../core/uuid.ts'
import type { Db, Transaction } from '../db/connect.ts'

/** Pools that are tried in turn. */
export interface PoolGroup {
  readonly id: string
  readonly name: string
  readonly description: string
  /** ids of networks, the first tried first */
  readonly networkIds: readonly string[]
  /** of those networks */
  readonly poolNames: readonly string[]
}

function membersAs(what: string, column: string): string {
  return `array(select ${what} from pool_group_members m join networks n on n.id = m.network_id
                where m.group_id = pool_groups.id order by m.position) as ${column}`
}

/** By id or name; all when null. */
export async function listGroups(db: Db, idOrName: string | null): Promise<readonly PoolGroup[]> {
  const query = db('pool_groups')
    .select<PoolGroup[]>(
      'id',
      'name',
      'description',
      db.raw(membersAs('m.network_id::text', 'network_ids')),
      db.raw(membersAs('n.name', 'pool_names')),
    )
    .orderBy('name')
  if (idOrName !== null) void (isUuid(idOrName) ? query.where({ id: idOrName }) : query.where({ name: idOrName }))
  return await query
}

/** @throws NotFound */
export async function getGroup(db: Db, idOrName: string): Promise<PoolGroup> {
  const [group] = await listGroups(db, idOrName)
  if (!group) throw new NotFound('Pool group', idOrName)
  return group
}

/** @throws Conflict when the name is taken */
export async function createGroup(
  trx: Transaction,
  { name, description, networkIds }: Omit<PoolGroup, 'id' | 'poolNames'>,
): Promise<string> {
  const id = randomUUID()
  const [row] = await trx('pool_groups').insert({ id, name, description }).onConflict('name').ignore().returning('id')
  if (!row) throw new Conflict(`A pool group named ${name} exists already`)
  await trx('pool_group_members').insert(
    networkIds.map((networkId, position) => ({ groupId: id, position, networkId })),
  )
  return id
}

export async function deleteGroup(trx: Transaction, id: string): Promise<void> {
  await trx('pool_groups').where({ id }).delete()
}

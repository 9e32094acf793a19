import { z } from 'zod'
import { Invalid } from '../../core/errors.ts'
import { createGroup, deleteGroup, getGroup, listGroups, type PoolGroup } from '../../ipam/groups.ts'
import { getPool } from '../../ipam/pools.ts'
import { parseBody } from '../body.ts'
import type { Call, Reply } from '../route.ts'

export const groupShape = z.strictObject({
  id: z.string(),
  name: z.string(),
  description: z.string(),
  pools: z.array(z.string()).describe('names, the first tried first'),
  pool_ids: z.array(z.string()),
})
export const newGroup = z.strictObject({
  name: z.string().min(1).max(255),
  description: z.string().max(255).default(''),
  pools: z.array(z.string()).min(1).describe('ids or names of pools, the first tried first'),
})

function groupView({ id, name, description, networkIds, poolNames }: PoolGroup): z.output<typeof groupShape> {
  return { id, name, description, pools: [...poolNames], pool_ids: [...networkIds] }
}

export async function list({ db }: Call): Promise<Reply> {
  return { status: 200, body: { groups: (await listGroups(db, null)).map(groupView) } }
}

export async function show({ db, params }: Call): Promise<Reply> {
  return { status: 200, body: { group: groupView(await getGroup(db, params.group ?? '')) } }
}

export async function create({ db, body }: Call): Promise<Reply> {
  const { name, description, pools } = parseBody(newGroup, body)
  const networkIds: string[] = []
  for (const pool of pools) networkIds.push((await getPool(db, pool)).id)
  const twice = networkIds.find((id, index) => networkIds.indexOf(id) !== index)
  if (twice !== undefined) throw new Invalid(`pools: pool ${twice} is named twice`)
  const id = await db.transaction((trx) => createGroup(trx, { name, description, networkIds }))
  return { status: 201, body: { group: groupView(await getGroup(db, id)) } }
}

export async function remove({ db, params }: Call): Promise<Reply> {
  const group = await getGroup(db, params.group ?? '')
  await db.transaction((trx) => deleteGroup(trx, group.id))
  return { status: 204 }
}

/** What an operator calls by its name or its id. Each throws NotFound. */
import { Invalid, NotFound } from '../../core/errors.ts'
import type { ServerFlavor } from '../../core/server.ts'
import type { Db } from '../../db/connect.ts'
import { hostExists } from '../../db/hosts.ts'
import type { ServerGroupRow } from '../../db/tables.ts'

const isNamed = '(name = ? or id::text = ?)'

export async function flavorNamed(db: Db, name: string): Promise<ServerFlavor> {
  const row = await db('flavors').whereRaw(isNamed, [name, name]).first()
  if (!row) throw new NotFound('Flavor', name)
  return row
}

/** @returns its reference; none asked for is none that any host has */
export async function imageNamed(db: Db, name: string | undefined): Promise<string> {
  if (name === undefined) return ''
  const row = await db('images').where({ status: 'active' }).whereRaw(isNamed, [name, name]).first()
  if (!row?.reference) throw new NotFound('Image', name)
  return row.reference
}

export async function networkNamed(db: Db, name: string): Promise<string> {
  const row = await db('networks').whereRaw(isNamed, [name, name]).first('id')
  if (!row) throw new NotFound('Network', name)
  return row.id
}

/** @returns its id; nobody's is that of no project */
export async function projectNamed(db: Db, name: string | undefined): Promise<string> {
  if (name === undefined) return ''
  const row = await db('projects').whereRaw(isNamed, [name, name]).first('id')
  if (!row) throw new NotFound('Project', name)
  return row.id
}

export async function hostNamed(db: Db, name: string | undefined): Promise<string | null> {
  if (name === undefined) return null
  if (!(await hostExists(db, name))) throw new NotFound('Host', name)
  return name
}

/** @throws Invalid when several bear the name */
export async function groupNamed(db: Db, name: string): Promise<ServerGroupRow> {
  const [row, another] = await db('server_groups').whereRaw(isNamed, [name, name]).limit(2)
  if (!row) throw new NotFound('Server group', name)
  if (another) throw new Invalid(`--group: several groups are called ${name}; say the id of one`)
  return row
}

/** @returns the ids of all that bear one of these names */
export async function serversNamed(db: Db, names: readonly string[]): Promise<readonly string[]> {
  const rows = await db('servers')
    .whereNull('deletedAt')
    .whereRaw('(name = any(?) or id::text = any(?))', [[...names], [...names]])
    .select('id', 'name')
  const missing = names.find((name) => !rows.some((row) => row.name === name || row.id === name))
  if (missing !== undefined) throw new NotFound('Server', missing)
  return rows.map(({ id }) => id)
}

/** Users and projects of another identity service: rows that ours point at, such as those of quotas and key pairs. */
import type { Db, Transaction } from '../connect.ts'

interface Named {
  readonly id: string
  readonly name: string
}

/** A user or project that a Keystone named. */
export interface Mirrored extends Named {
  /** without its name where that is not known */
  readonly domain: { readonly id: string; readonly name: string | null }
}

/** A name that moved on to another id: whoever had it keeps the row under a name that nobody asks for. */
async function freeName(
  trx: Transaction,
  table: 'users' | 'projects' | 'domains',
  { id, name }: Named,
  domainId?: string,
): Promise<void> {
  const query = trx(table).where({ name }).whereNot({ id })
  if (domainId !== undefined) void query.where({ domainId })
  await query.update({ name: trx.raw("name || ' ' || id") })
}

async function mirrorDomain(trx: Transaction, { id, name }: Mirrored['domain']): Promise<void> {
  if (name === null) {
    await trx('domains').insert({ id, name: id }).onConflict('id').ignore()
    return
  }
  await freeName(trx, 'domains', { id, name })
  await trx('domains').insert({ id, name }).onConflict('id').merge(['name'])
}

async function mirrorOne(trx: Transaction, table: 'users' | 'projects', { id, name, domain }: Mirrored): Promise<void> {
  await mirrorDomain(trx, domain)
  await freeName(trx, table, { id, name }, domain.id)
  await trx(table).insert({ id, name, domainId: domain.id }).onConflict('id').merge(['name', 'domainId'])
}

/** Each is there, under the name that it has now. */
export async function mirror(
  db: Db,
  { user, project }: { readonly user?: Mirrored; readonly project?: Mirrored },
): Promise<void> {
  await db.transaction(async (trx) => {
    if (user) await mirrorOne(trx, 'users', user)
    if (project) await mirrorOne(trx, 'projects', project)
  })
}

import type { Db, Transaction } from '../connect.ts'
import type { DomainRow } from '../tables.ts'
import { namedFields, narrow, one, unique, type Filter, type Change } from './filter.ts'

/** The domain that every cloud has. */
export const defaultDomain = { id: 'default', name: 'Default' } as const

export async function findDomain(
  db: Db,
  named: { readonly id: string } | { readonly name: string },
): Promise<DomainRow | null> {
  return (await db('domains').where(named).first()) ?? null
}

export async function listDomains(db: Db, filter: Filter): Promise<readonly DomainRow[]> {
  return await narrow(db('domains').select('*').orderBy('name'), filter)
}

/** @throws Conflict when the name is taken */
export async function insertDomain(db: Db, domain: Omit<DomainRow, 'createdAt'>): Promise<void> {
  await unique('domain', domain.name, db('domains').insert({ ...domain, tags: [...domain.tags] }))
}

/** @throws Conflict when the name is taken */
export async function updateDomain(db: Db, id: string, change: Change<DomainRow>): Promise<DomainRow | null> {
  return one(
    await unique(
      'domain',
      change.name ?? id,
      db('domains')
        .where({ id })
        .update({ id, ...namedFields<DomainRow>(change) })
        .returning('*'),
    ),
  )
}

/** A disabled domain, with its projects, users and groups. @returns false when it is enabled or is not there */
export async function deleteDomain(trx: Transaction, id: string): Promise<boolean> {
  return (await trx('domains').where({ id, enabled: false }).delete()) > 0
}

/** The enabled domains in which a user has a role. */
export async function listDomainsOf(db: Db, userId: string): Promise<readonly DomainRow[]> {
  const { rows } = await db.raw<{ rows: DomainRow[] }>(
    'select * from domains where enabled and id in (select domain_id from effective_assignments(?)) order by name',
    [userId],
  )
  return rows
}

/** Whether a user has a role on the whole cloud. */
export async function hasSystemRole(db: Db, userId: string): Promise<boolean> {
  const { rows } = await db.raw<{ rows: unknown[] }>('select from effective_assignments(?) where is_system limit 1', [
    userId,
  ])
  return rows.length > 0
}

import type { Db, Transaction } from '../connect.ts'
import type { UserRow } from '../tables.ts'
import { namedFields, narrow, one, unique, type Filter, type Named, type Change } from './filter.ts'

export async function findUser(db: Db, named: Named): Promise<UserRow | null> {
  return (await db('users').where(named).first()) ?? null
}

/** A user who may log in: it and its domain are enabled. */
export async function findEnabledUser(db: Db, named: Named): Promise<UserRow | null> {
  const enabledDomains = db('domains').where({ enabled: true }).select('id')
  return (await db('users').where(named).where({ enabled: true }).whereIn('domainId', enabledDomains).first()) ?? null
}

export async function listUsers(db: Db, filter: Filter): Promise<readonly UserRow[]> {
  return await narrow(db('users').select('*').orderBy('name'), filter)
}

/** @throws Conflict when the domain has a user of that name */
export async function insertUser(db: Db, user: Omit<UserRow, 'createdAt'>): Promise<void> {
  await unique('user', user.name, db('users').insert(user))
}

/** @throws Conflict when the domain has a user of that name */
export async function updateUser(trx: Transaction, id: string, change: Change<UserRow>): Promise<UserRow | null> {
  return one(
    await unique(
      'user',
      change.name ?? id,
      trx('users')
        .where({ id })
        .update({ id, ...namedFields<UserRow>(change) })
        .returning('*'),
    ),
  )
}

/** With its tokens, role assignments, application credentials and keypairs. @returns false when there is none */
export async function deleteUser(db: Db, id: string): Promise<boolean> {
  return (await db('users').where({ id }).delete()) > 0
}

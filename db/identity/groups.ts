import type { Db } from '../connect.ts'
import type { GroupRow, UserRow } from '../tables.ts'
import { namedFields, narrow, one, unique, type Filter, type Change } from './filter.ts'

export async function findGroup(db: Db, id: string): Promise<GroupRow | null> {
  return (await db('groups').where({ id }).first()) ?? null
}

export async function listGroups(db: Db, filter: Filter): Promise<readonly GroupRow[]> {
  return await narrow(db('groups').select('*').orderBy('name'), filter)
}

/** Those that a user is a member of. */
export async function listGroupsOf(db: Db, userId: string): Promise<readonly GroupRow[]> {
  return await db('groups').whereIn('id', db('group_members').where({ userId }).select('groupId')).orderBy('name')
}

/** @throws Conflict when the domain has a group of that name */
export async function insertGroup(db: Db, group: Omit<GroupRow, 'createdAt'>): Promise<void> {
  await unique('group', group.name, db('groups').insert(group))
}

/** @throws Conflict when the domain has a group of that name */
export async function updateGroup(db: Db, id: string, change: Change<GroupRow>): Promise<GroupRow | null> {
  return one(
    await unique(
      'group',
      change.name ?? id,
      db('groups')
        .where({ id })
        .update({ id, ...namedFields<GroupRow>(change) })
        .returning('*'),
    ),
  )
}

/** With its memberships and role assignments. @returns false when there is none */
export async function deleteGroup(db: Db, id: string): Promise<boolean> {
  return (await db('groups').where({ id }).delete()) > 0
}

export async function listMembers(db: Db, groupId: string): Promise<readonly UserRow[]> {
  return await db('users').whereIn('id', db('group_members').where({ groupId }).select('userId')).orderBy('name')
}

export async function isMember(db: Db, groupId: string, userId: string): Promise<boolean> {
  return (await db('group_members').where({ groupId, userId }).first('userId')) !== undefined
}

/** Done twice is as if done once. */
export async function addMember(db: Db, groupId: string, userId: string): Promise<void> {
  await db('group_members').insert({ groupId, userId }).onConflict().ignore()
}

/** @returns false when the user was no member */
export async function removeMember(db: Db, groupId: string, userId: string): Promise<boolean> {
  return (await db('group_members').where({ groupId, userId }).delete()) > 0
}

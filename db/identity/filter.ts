/** What a list of the identity API is narrowed to. */
import type { Knex } from 'knex'
import { Conflict } from '../../core/errors.ts'

/** `column__contains` and its kin of the identity API. */
export interface Like {
  readonly column: string
  /** an SQL pattern, its own signs escaped */
  readonly pattern: string
  readonly isCaseBlind: boolean
}

/** What a list of users, projects or groups is narrowed by. */
export interface Filter {
  readonly equal: Readonly<Record<string, string | boolean>>
  readonly likes: readonly Like[]
}

export const all: Filter = { equal: {}, likes: [] }

/** Names a user, a project or a group, as the identity API does. */
export type Named = { readonly id: string } | { readonly name: string; readonly domainId: string }

export function narrow<Q extends Knex.QueryBuilder>(query: Q, { equal, likes }: Filter): Q {
  void query.where(equal)
  for (const { column, pattern, isCaseBlind } of likes)
    void query.where(column, isCaseBlind ? 'ilike' : 'like', pattern)
  return query
}

const uniqueViolation = '23505'

/** @throws Conflict naming what is there already, when a unique key was met */
export async function unique<T>(what: string, name: string, write: PromiseLike<T>): Promise<T> {
  try {
    return await write
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error) || error.code !== uniqueViolation) throw error
    throw new Conflict(`Conflict occurred attempting to store ${what} - Duplicate entry found with name ${name}.`, {
      cause: error,
    })
  }
}

/** The one row that an insert or update returns; null when there is none to update. */
export function one<T>(rows: readonly T[]): T | null {
  return rows[0] ?? null
}

/** Fields that are not named, or undefined, stay as they are. */
export type Change<T> = { readonly [K in keyof T]?: T[K] | undefined }

export function namedFields<T extends object>(change: Change<T>): Partial<T> {
  const result: Partial<T> = {}
  for (const key in change) {
    const value: T[typeof key] | undefined = change[key]
    if (value !== undefined) result[key] = value
  }
  return result
}

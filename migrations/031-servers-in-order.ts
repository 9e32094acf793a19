/**
 * Lists of all projects' servers come in the order of an index, newest first.
 *
 * Why: an administrator's list sorted the whole table for one page of it. Locks: one on servers for as long as the index is built, about a
 * second per million rows. Tolerated by: every version of the code.
 */
import type { Knex } from 'knex'

export async function up(knex: Knex): Promise<void> {
  await knex.raw('create index servers_created on servers (created_at desc, id desc) where deleted_at is null')
}

export function down(): Promise<void> {
  throw new Error('migrations go forward only')
}

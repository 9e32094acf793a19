/**
 * A move of a server to another host remembers what it takes to end it either way: the disk in the registry, the image before, whether
 * the guest ran.
 *
 * Why: each step is carried out by another host, and any of them may die and come back.
 * Locks: short ones on server_migrations; the columns have constant defaults. Tolerated by: every version of the code.
 */
import type { Knex } from 'knex'

const statements = `
alter table server_migrations
  add column reference text,
  add column previous_reference text,
  add column was_running boolean not null default false;
drop index server_migrations_open;
create unique index server_migrations_open on server_migrations (server_id)
  where status in ('pre-migrating', 'migrating', 'post-migrating', 'finished', 'reverting');
`

export async function up(knex: Knex): Promise<void> {
  await knex.raw(statements)
}

export function down(): Promise<void> {
  throw new Error('migrations go forward only')
}

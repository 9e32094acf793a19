/**
 * A server is resized once at a time; one that was softly deleted remembers when; a guest may leave its owner a password.
 *
 * Why: confirm and revert must find the one resize that is open; the host reclaims what was deleted long enough ago.
 * Locks: short ones on servers and server_migrations; the columns have constant defaults. Tolerated by: every version of the code.
 */
import type { Knex } from 'knex'

const statements = `
create unique index server_migrations_open on server_migrations (server_id) where status in ('migrating', 'finished');
alter table servers
  add column soft_deleted_at timestamptz,
  add column sealed_password text not null default '';
create index servers_soft_deleted on servers (host, soft_deleted_at) where soft_deleted_at is not null and deleted_at is null;
`

export async function up(knex: Knex): Promise<void> {
  await knex.raw(statements)
}

export function down(): Promise<void> {
  throw new Error('migrations go forward only')
}

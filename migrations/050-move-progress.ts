/**
 * A move tells how it goes: by which transport and why, how far it is, how much it has carried. Hosts say where other agents read the
 * disks of guests.
 *
 * Why: a user who moves a server sees what it waits for; the next step, on another host, goes by the same transport.
 * Locks: short ones on server_migrations and hosts; the columns have constant defaults. Tolerated by: every version of the code.
 */
import type { Knex } from 'knex'

const statements = `
alter table server_migrations
  add column transport text check (transport in ('delta', 'registry')),
  add column transport_reason text,
  add column phase text check (phase in ('estimate', 'begin', 'sync', 'switch')),
  add column bytes_total bigint not null default 0,
  add column bytes_done bigint not null default 0,
  add column bytes_per_second bigint not null default 0;
alter table hosts add column disk_address text;
`

export async function up(knex: Knex): Promise<void> {
  await knex.raw(statements)
}

export function down(): Promise<void> {
  throw new Error('migrations go forward only')
}

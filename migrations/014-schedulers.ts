/**
 * Schedulers give signs of life, as the agents of hosts do.
 *
 * Why: an administrator lists them beside the agents. Locks: none, the table is new; its numbers are of the hosts' own sequence, since
 * both are listed together. Tolerated by: every version of the code.
 */
import type { Knex } from 'knex'

const tables = `
create table schedulers (
  host text primary key,
  id uuid not null unique default gen_random_uuid(),
  number bigint not null unique default nextval('hosts_number_seq'),
  started_at timestamptz not null default now(),
  heartbeat_at timestamptz not null default now()
);
`

export async function up(knex: Knex): Promise<void> {
  await knex.raw(tables)
}

export function down(): Promise<void> {
  throw new Error('migrations go forward only')
}

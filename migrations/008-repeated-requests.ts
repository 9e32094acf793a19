/**
 * Requests that a client may repeat without fear: what was made for a key is remembered for a day.
 *
 * Why: a reply can be lost after its transaction was committed, and the client's second try must not make a second server.
 * Locks: none, the table is new. Tolerated by: every version of the code.
 */
import type { Knex } from 'knex'

const tables = `
create table repeatable_requests (
  user_id text not null references users on delete cascade,
  project_id text not null,
  key text not null,
  -- of the body: a key that comes with another one was used twice by mistake
  digest bytea not null,
  server_id uuid references servers on delete cascade,
  created_at timestamptz not null default now(),
  primary key (user_id, project_id, key)
);
create index repeatable_requests_age on repeatable_requests (created_at);
create index repeatable_requests_server on repeatable_requests (server_id);
`

export async function up(knex: Knex): Promise<void> {
  await knex.raw(tables)
}

export function down(): Promise<void> {
  throw new Error('migrations go forward only')
}

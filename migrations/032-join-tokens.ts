/**
 * Tokens by which a machine joins as a host: each once, for a while.
 *
 * Why: a machine that joins is to bring nothing but one word that its operator was given. Locks: none, the table is new. Tolerated by:
 * every version of the code.
 */
import type { Knex } from 'knex'

const tables = `
create table join_tokens (
  digest bytea primary key,
  created_by text not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  used_at timestamptz,
  used_by text
);
`

export async function up(knex: Knex): Promise<void> {
  await knex.raw(tables)
}

export function down(): Promise<void> {
  throw new Error('migrations go forward only')
}

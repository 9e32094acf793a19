/**
 * A number that grows with every change of who may do what.
 *
 * Why: an API process remembers whom a token stands for, and asks with each request only whether the token is still there and whether this
 * number is the one it remembers; what a revocation, a role withdrawn or a project disabled changes holds at once. The number grows at the
 * commit, by triggers that are put off until then: whoever changes identities holds its row for a moment, and waits for nobody with it held.
 * Locks: one new table; each trigger takes a short lock on its table. Tolerated by: code that knows no such number asks everything each time.
 */
import type { Knex } from 'knex'

/** What is new of the first four is nobody's yet. */
const tables = {
  users: 'update or delete',
  domains: 'update or delete',
  projects: 'update or delete',
  roles: 'update or delete',
  role_assignments: 'insert or update or delete',
  group_members: 'insert or update or delete',
  implied_roles: 'insert or update or delete',
  application_credentials: 'update or delete',
  application_credential_roles: 'insert or update or delete',
} as const

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
create table identity_changes (is_only boolean primary key default true check (is_only), number bigint not null default 0);
insert into identity_changes default values;
create function count_identity_change() returns trigger language plpgsql as $$
begin
  update identity_changes set number = number + 1;
  return null;
end $$;`)
  for (const [table, changes] of Object.entries(tables))
    await knex.raw(`
create constraint trigger ${table}_identity_changes after ${changes} on ${table}
  deferrable initially deferred for each row execute function count_identity_change();`)
}

export function down(): Promise<void> {
  throw new Error('migrations go forward only')
}

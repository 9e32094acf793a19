/**
 * Which host the database role of a joined agent is for, and what of other hosts it cannot change.
 *
 * Why: an agent on a machine that was broken into changes its own host's rows and servers, and nothing else's. Owners of the tables are not
 * asked by these policies, so api, scheduler and the agents of one machine go on as before (PostgreSQL manual, 5.9).
 * Locks: one each on hosts, servers and allocations' function, for a moment. Tolerated by: every version of the code.
 */
import type { Knex } from 'knex'

const statements = `
create table agent_roles (
  role text primary key,
  host text not null
);
create function agent_host() returns text language sql stable as $$
  select host from agent_roles where role = current_user::text
$$;
-- The sums on a host's row follow its claims, whoever ends a claim: an agent need not be able to write the row.
alter function keep_host_use() security definer set search_path = public, pg_temp;
alter table hosts enable row level security;
create policy hosts_are_seen on hosts for select using (true);
create policy own_host_is_made on hosts for insert with check (name = agent_host());
create policy own_host_is_kept on hosts for update using (name = agent_host());
alter table servers enable row level security;
create policy servers_are_seen on servers for select using (true);
create policy own_servers_are_changed on servers for update
  using (host = agent_host() or exists (select from server_migrations m where m.server_id = servers.id
                                        and agent_host() in (m.source_host, m.target_host)))
  with check (true);
`

export async function up(knex: Knex): Promise<void> {
  await knex.raw(statements)
}

export function down(): Promise<void> {
  throw new Error('migrations go forward only')
}

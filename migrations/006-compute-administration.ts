/**
 * What administrators of a cloud set: flavors in full, who may use them, host aggregates, quotas of users and classes, server groups,
 * and what a user asked for beside the size of a server: its zone, its host, its hints.
 *
 * Why: the tables held only what a first server needs. Locks: short ones on flavors, hosts, keypairs and servers; the new columns have
 * constant defaults, but for the numbers of hosts and keypairs, which rewrite small tables. Tolerated by: every version of the code.
 */
import type { Knex } from 'knex'

const flavors = `
alter table flavors
  add column swap_mib integer not null default 0 check (swap_mib >= 0),
  add column ephemeral_gib integer not null default 0 check (ephemeral_gib >= 0),
  add column rxtx_factor real not null default 1;
create table flavor_projects (
  flavor_id text not null references flavors on delete cascade,
  project_id text not null,
  primary key (flavor_id, project_id)
);
`

const hosts = `
alter table hosts
  add column number bigint generated always as identity unique,
  add column is_forced_down boolean not null default false;
alter table keypairs add column number bigint generated always as identity unique;
create table aggregates (
  id integer generated always as identity primary key,
  uuid uuid not null unique,
  name text not null unique,
  metadata jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz
);
create table aggregate_hosts (
  aggregate_id integer not null references aggregates on delete cascade,
  host text not null references hosts on delete cascade,
  primary key (aggregate_id, host)
);
create index aggregate_hosts_host on aggregate_hosts (host);
`

const quotas = `
create table user_quotas (
  project_id text not null references projects on delete cascade,
  user_id text not null,
  resource text not null,
  hard_limit integer not null,
  primary key (project_id, user_id, resource)
);
create table quota_classes (
  class text not null,
  resource text not null,
  hard_limit integer not null,
  primary key (class, resource)
);
`

const servers = `
create table server_groups (
  id uuid primary key,
  project_id text not null,
  user_id text not null,
  name text not null,
  policy text not null check (policy in ('affinity', 'anti-affinity', 'soft-affinity', 'soft-anti-affinity')),
  max_server_per_host integer check (max_server_per_host > 0),
  created_at timestamptz not null default now()
);
create index server_groups_project on server_groups (project_id, created_at, id);
alter table servers
  add column pinned_zone text,
  add column requested_host text,
  add column hints jsonb not null default '{}',
  add column disk_config text not null default 'MANUAL' check (disk_config in ('AUTO', 'MANUAL')),
  add column server_group_id uuid references server_groups on delete set null;
create index servers_group on servers (server_group_id) where server_group_id is not null;
create table server_migrations (
  id bigint generated always as identity primary key,
  uuid uuid not null unique default gen_random_uuid(),
  server_id uuid not null references servers on delete cascade,
  type text not null check (type in ('migration', 'resize', 'live-migration', 'evacuation')),
  status text not null,
  source_host text,
  target_host text,
  old_flavor jsonb not null,
  new_flavor jsonb not null,
  user_id text not null,
  project_id text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index server_migrations_server on server_migrations (server_id, id desc);
create index server_migrations_updated on server_migrations (updated_at);
`

export async function up(knex: Knex): Promise<void> {
  for (const statements of [flavors, hosts, quotas, servers]) await knex.raw(statements)
}

export function down(): Promise<void> {
  throw new Error('migrations go forward only')
}

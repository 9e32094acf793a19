/**
 * Backups that the cloud takes by itself: every so often, of one server or of all of a project, so that an evacuation loses no more.
 *
 * Why: a host that is lost takes with it what its servers wrote since their newest image.
 * Locks: none but those of a new table and of one index on images. Tolerated by: every version of the code.
 */
import type { Knex } from 'knex'

const statements = `
create table backup_policies (
  id uuid primary key,
  project_id text not null,
  server_id uuid references servers on delete cascade,
  user_id text not null,
  name text not null,
  interval_seconds integer not null check (interval_seconds >= 60),
  keep integer not null check (keep between 1 and 1000),
  is_enabled boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create unique index backup_policies_target on backup_policies
  (project_id, coalesce(server_id, '00000000-0000-0000-0000-000000000000'));
create index backup_policies_server on backup_policies (server_id) where server_id is not null;
drop index images_server;
create index images_server on images (server_id, created_at desc) where server_id is not null;
`

export async function up(knex: Knex): Promise<void> {
  await knex.raw(statements)
}

export function down(): Promise<void> {
  throw new Error('migrations go forward only')
}

/**
 * What it takes to look after images: which are wanted on which hosts before a server needs them, since when nothing on a host needs one,
 * since when nothing refers to a manifest in the registry, who writes to the registry while its blobs are swept, and how many layers an
 * image has.
 *
 * Why: images are pulled beforehand, leave hosts and the registry when nobody needs them, and are flattened when they are many layers.
 * Locks: short ones on images and host_images; the columns have constant defaults. Tolerated by: every version of the code.
 */
import type { Knex } from 'knex'

const statements = `
create table image_wishes (
  image_id uuid not null references images on delete cascade,
  host text references hosts on delete cascade,
  created_at timestamptz not null default now()
);
create unique index image_wishes_place on image_wishes (image_id, coalesce(host, ''));
alter table host_images add column needed_at timestamptz not null default now();
create table registry_orphans (
  repository text not null,
  digest text not null,
  since timestamptz not null default now(),
  primary key (repository, digest)
);
create table registry_writers (
  id uuid primary key,
  until timestamptz not null
);
create table registry_state (
  is_only boolean primary key default true check (is_only),
  sweep_until timestamptz not null default '-infinity'
);
insert into registry_state default values;
alter table images
  add column layers integer,
  add column flattened_from text,
  add column flatten_begun_at timestamptz;
`

export async function up(knex: Knex): Promise<void> {
  await knex.raw(statements)
}

export function down(): Promise<void> {
  throw new Error('migrations go forward only')
}

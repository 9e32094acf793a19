/**
 * Images that users make: uploaded bytes with their checksums, members, the server a snapshot came from; and what a server keeps
 * while it is shelved or rescued.
 *
 * Why: snapshots, uploads, rescue and shelving. Locks: short exclusive locks on images and servers, no rewrite, no scan but that of
 * one check on images. Tolerated by: code that knows none of the new columns; it never writes the new status.
 */
import type { Knex } from 'knex'

const images = `
alter table images
  add column file_digest text,
  add column checksum text,
  add column sha512 text,
  add column disk_format text,
  add column container_format text,
  add column is_hidden boolean not null default false,
  add column server_id uuid,
  add column parent_id uuid,
  add column deleted_at timestamptz,
  drop constraint images_status_check,
  add constraint images_status_check
    check (status in ('queued', 'uploading', 'importing', 'saving', 'active', 'deactivated', 'killed', 'deleted')) not valid;
alter table images validate constraint images_status_check;
create index images_project on images (project_id, created_at desc, id desc) where deleted_at is null;
create index images_server on images (server_id) where server_id is not null;
create table image_members (
  image_id uuid not null references images on delete cascade,
  project_id text not null,
  status text not null default 'pending' check (status in ('pending', 'accepted', 'rejected')),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (image_id, project_id)
);
create index image_members_project on image_members (project_id);
`

const servers = `
alter table servers
  add column shelved_image_id uuid,
  add column rescue_reference text;
`

export async function up(knex: Knex): Promise<void> {
  for (const statements of [images, servers]) await knex.raw(statements)
}

export function down(): Promise<void> {
  throw new Error('migrations go forward only')
}

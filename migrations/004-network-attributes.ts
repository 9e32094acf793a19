/**
 * What Neutron's resources have beside their names: tags, revision numbers, host routes, port security, allowed address pairs,
 * device tags; and quotas of networks.
 *
 * Why: clients set and compare them, and what is enforced on the wire is read from these rows. Revisions are counted by a trigger, so
 * that no statement forgets them. The same rule twice in a security group is refused by a unique index.
 * Locks: columns with constant defaults are added without a rewrite; the index reads a small table. Tolerated by: every version of
 * the code, which leaves the defaults.
 */
import type { Knex } from 'knex'

const attributes = `
alter table networks
  add column tags text[] not null default '{}',
  add column revision integer not null default 0,
  add column port_security_enabled boolean not null default true;
alter table subnets
  add column tags text[] not null default '{}',
  add column revision integer not null default 0,
  add column host_routes jsonb not null default '[]';
alter table ports
  add column tags text[] not null default '{}',
  add column revision integer not null default 0,
  add column port_security_enabled boolean not null default true,
  add column allowed_address_pairs jsonb not null default '[]',
  add column dns_name text not null default '',
  add column device_tag text;
alter table security_groups
  add column tags text[] not null default '{}',
  add column revision integer not null default 0;
create unique index security_group_rules_once on security_group_rules
  (security_group_id, direction, ethertype, protocol, port_range_min, port_range_max, remote_ip_prefix, remote_group_id)
  nulls not distinct;
create index security_group_rules_remote on security_group_rules (remote_group_id) where remote_group_id is not null;
create index port_security_groups_group on port_security_groups (security_group_id);
create table network_quotas (
  project_id text not null,
  resource text not null,
  hard_limit integer not null,
  primary key (project_id, resource)
);
`

const revisions = `
create function next_revision() returns trigger language plpgsql as $$
begin
  new.revision := old.revision + 1;
  new.updated_at := now();
  return new;
end $$;
${['networks', 'subnets', 'ports', 'security_groups']
  .map(
    (table) =>
      `create trigger ${table}_revision before update on ${table} for each row execute function next_revision();`,
  )
  .join('\n')}
`

export async function up(knex: Knex): Promise<void> {
  for (const statements of [attributes, revisions]) await knex.raw(statements)
}

export function down(): Promise<void> {
  throw new Error('migrations go forward only')
}

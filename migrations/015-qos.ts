/**
 * Neutron's QoS policies: how much a port, or each port of a network, may send and get.
 *
 * Why: an administrator limits what is there already, without another flavor; a change is on the wire at once, as one of security groups
 * is. A policy in use is not deleted: the references refuse it.
 * Locks: two columns without default on networks and ports, added without a rewrite; their foreign keys read no row, since all are null.
 * Tolerated by: every version of the code, which leaves the columns null.
 */
import type { Knex } from 'knex'

const tables = `
create table qos_policies (
  id uuid primary key,
  project_id text not null,
  name text not null,
  description text not null default '',
  shared boolean not null default false,
  is_default boolean not null default false,
  tags text[] not null default '{}',
  revision integer not null default 0,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create unique index qos_policies_default on qos_policies (project_id) where is_default;
create table qos_rules (
  id uuid primary key,
  policy_id uuid not null references qos_policies on delete cascade,
  direction text not null check (direction in ('ingress', 'egress')),
  max_kbps integer not null check (max_kbps >= 0),
  max_burst_kbps integer not null default 0 check (max_burst_kbps >= 0),
  created_at timestamptz not null default now(),
  unique (policy_id, direction)
);
alter table networks add column qos_policy_id uuid references qos_policies;
alter table ports add column qos_policy_id uuid references qos_policies;
create index networks_qos_policy on networks (qos_policy_id) where qos_policy_id is not null;
create index ports_qos_policy on ports (qos_policy_id) where qos_policy_id is not null;
`

const triggers = `
create trigger qos_policies_revision before update on qos_policies for each row execute function next_revision();
create trigger qos_rules_wires after insert or update or delete on qos_rules for each statement execute function notify_wires();
create trigger networks_qos_wires after update of qos_policy_id on networks for each statement execute function notify_wires();
create trigger ports_qos_wires after update of qos_policy_id on ports for each statement execute function notify_wires();
`

export async function up(knex: Knex): Promise<void> {
  for (const statements of [tables, triggers]) await knex.raw(statements)
}

export function down(): Promise<void> {
  throw new Error('migrations go forward only')
}

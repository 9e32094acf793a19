/**
 * The first tables of a cloud.
 *
 * Why: there is nothing yet. Locks: none, all tables are new. Tolerated by: every version of the code.
 */
import type { Knex } from 'knex'

const identity = `
create table projects (
  id text primary key,
  domain_id text not null default 'default',
  name text not null,
  description text not null default '',
  enabled boolean not null default true,
  created_at timestamptz not null default now(),
  unique (domain_id, name)
);
create table users (
  id text primary key,
  domain_id text not null default 'default',
  name text not null,
  password_hash text not null,
  enabled boolean not null default true,
  default_project_id text,
  created_at timestamptz not null default now(),
  unique (domain_id, name)
);
create table roles (
  id text primary key,
  name text not null unique
);
create table role_assignments (
  user_id text not null references users on delete cascade,
  project_id text not null references projects on delete cascade,
  role_id text not null references roles on delete cascade,
  primary key (user_id, project_id, role_id)
);
-- Only the digest of a token is kept: who reads the database cannot act as a user.
create table tokens (
  digest bytea primary key,
  user_id text not null references users on delete cascade,
  project_id text references projects on delete cascade,
  methods text[] not null,
  audit_id text not null,
  issued_at timestamptz not null default now(),
  expires_at timestamptz not null
);
create index tokens_expires_at on tokens (expires_at);
`

const catalogue = `
create table flavors (
  id text primary key,
  name text not null unique,
  vcpus integer not null check (vcpus > 0),
  memory_mib integer not null check (memory_mib > 0),
  disk_gib integer not null default 0 check (disk_gib >= 0),
  is_public boolean not null default true,
  description text,
  extra_specs jsonb not null default '{}',
  created_at timestamptz not null default now()
);
create table keypairs (
  user_id text not null references users on delete cascade,
  name text not null,
  type text not null default 'ssh',
  public_key text not null,
  fingerprint text not null,
  created_at timestamptz not null default now(),
  primary key (user_id, name)
);
create table images (
  id uuid primary key,
  project_id text,
  name text not null,
  status text not null check (status in ('queued', 'saving', 'active', 'deactivated', 'killed', 'deleted')),
  visibility text not null check (visibility in ('public', 'private', 'shared', 'community')),
  reference text,
  size_bytes bigint,
  min_memory_mib integer not null default 0,
  min_disk_gib integer not null default 0,
  is_protected boolean not null default false,
  properties jsonb not null default '{}',
  tags text[] not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index images_name on images (name);
`

const network = `
create table networks (
  id uuid primary key,
  project_id text not null,
  name text not null,
  description text not null default '',
  vlan integer unique check (vlan between 1 and 4094),
  mtu integer not null,
  shared boolean not null default false,
  admin_state_up boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create table subnets (
  id uuid primary key,
  network_id uuid not null references networks,
  project_id text not null,
  name text not null,
  description text not null default '',
  cidr cidr not null,
  gateway inet,
  dns_servers text[] not null default '{}',
  dhcp boolean not null default true,
  quarantine_seconds integer not null default 300,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index subnets_network on subnets (network_id);
-- Addresses that may be handed out. Sequence ip_range_<id> counts the never used ones of a range from its first.
create table ip_ranges (
  id bigint generated always as identity primary key,
  subnet_id uuid not null references subnets on delete cascade,
  first inet not null,
  last inet not null,
  check (first <= last)
);
create index ip_ranges_subnet on ip_ranges (subnet_id, first);
create table servers (
  id uuid primary key,
  project_id text not null,
  user_id text not null,
  name text not null,
  hostname text not null,
  description text,
  vm_state text not null,
  task_state text,
  power_state integer not null default 0,
  host text,
  availability_zone text not null default 'nova',
  flavor jsonb not null,
  image_id uuid,
  image_reference text not null,
  key_name text,
  public_key text,
  user_data text,
  metadata jsonb not null default '{}',
  config_drive boolean not null default false,
  access_ipv4 inet,
  access_ipv6 inet,
  tags text[] not null default '{}',
  locked_by text,
  locked_reason text,
  reservation_id text not null,
  launch_index integer not null default 0,
  failed_hosts jsonb not null default '{}',
  launched_at timestamptz,
  terminated_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz
);
create index servers_project on servers (project_id, created_at desc, id desc) where deleted_at is null;
create index servers_host on servers (host) where deleted_at is null;
create index servers_updated on servers (updated_at);
create table ports (
  id uuid primary key,
  network_id uuid not null references networks,
  project_id text not null,
  name text not null default '',
  description text not null default '',
  mac macaddr not null unique,
  admin_state_up boolean not null default true,
  status text not null default 'DOWN' check (status in ('DOWN', 'BUILD', 'ACTIVE', 'ERROR')),
  device_id text not null default '',
  device_owner text not null default '',
  server_id uuid references servers,
  position integer,
  is_owned_by_server boolean not null default false,
  host text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (server_id, position)
);
create index ports_network on ports (network_id);
create index ports_device on ports (device_id);
create table addresses (
  subnet_id uuid not null references subnets on delete cascade,
  address inet not null,
  state text not null check (state in ('used', 'free', 'reserved')),
  port_id uuid references ports,
  freed_at timestamptz not null default '-infinity',
  primary key (subnet_id, address),
  check ((state = 'used') = (port_id is not null))
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
create index addresses_free on addresses (subnet_id, freed_at, address) where state = 'free';
create index addresses_port on addresses (port_id) where port_id is not null;
create table security_groups (
  id uuid primary key,
  project_id text not null,
  name text not null,
  description text not null default '',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create unique index security_groups_default on security_groups (project_id) where name = 'default';
create table security_group_rules (
  id uuid primary key,
  security_group_id uuid not null references security_groups on delete cascade,
  project_id text not null,
  direction text not null check (direction in ('ingress', 'egress')),
  ethertype text not null check (ethertype in ('IPv4', 'IPv6')),
  protocol text,
  port_range_min integer,
  port_range_max integer,
  remote_ip_prefix cidr,
  remote_group_id uuid references security_groups on delete cascade,
  description text not null default '',
  created_at timestamptz not null default now()
);
create table port_security_groups (
  port_id uuid not null references ports on delete cascade,
  security_group_id uuid not null references security_groups,
  primary key (port_id, security_group_id)
);
`

const compute = `
create table hosts (
  name text primary key,
  id uuid not null unique,
  zone text not null default 'nova',
  is_enabled boolean not null default true,
  disabled_reason text,
  vcpus integer not null,
  memory_mib integer not null,
  disk_gib integer not null,
  cpu_ratio real not null,
  memory_ratio real not null,
  disk_ratio real not null,
  reserved_memory_mib integer not null,
  hypervisor_type text not null,
  hypervisor_version text not null,
  traits jsonb not null default '{}',
  problem text,
  agent_url text,
  agent_token text not null default '',
  started_at timestamptz not null default now(),
  heartbeat_at timestamptz not null default now()
);
create table allocations (
  server_id uuid not null references servers,
  host text not null references hosts,
  vcpus integer not null,
  memory_mib integer not null,
  disk_gib integer not null,
  primary key (server_id, host)
);
create index allocations_host on allocations (host);
create table faults (
  id bigint generated always as identity primary key,
  server_id uuid not null references servers on delete cascade,
  code integer not null,
  message text not null,
  details text not null default '',
  host text,
  created_at timestamptz not null default now()
);
create index faults_server on faults (server_id, id desc);
create table server_actions (
  id bigint generated always as identity primary key,
  server_id uuid not null references servers on delete cascade,
  request_id text not null,
  action text not null,
  user_id text not null,
  project_id text not null,
  message text,
  started_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index server_actions_server on server_actions (server_id, id desc);
create table server_action_events (
  id bigint generated always as identity primary key,
  action_id bigint not null references server_actions on delete cascade,
  event text not null,
  host text,
  started_at timestamptz not null default now(),
  finished_at timestamptz,
  result text,
  details text
);
create index server_action_events_action on server_action_events (action_id);
create table quotas (
  project_id text not null references projects on delete cascade,
  resource text not null,
  hard_limit integer not null,
  primary key (project_id, resource)
);
`

/**
 * The order is sdc-napi's: the lowest never used, else the one freed longest ago and past its quarantine. A sequence
 * does not roll back, so a failed transaction leaves a hole among the never used; holes are found when all else is
 * used up, so that a pool is never called full falsely.
 */
const allocation = `
create function allocate_address(p_subnet uuid, p_port uuid) returns inet language plpgsql as $$
declare
  r record;
  n bigint;
  got inet;
  rest interval;
begin
  for r in select id, first, last from ip_ranges where subnet_id = p_subnet order by first loop
    loop
      n := nextval(('ip_range_' || r.id)::regclass);
      exit when n > r.last - r.first;
      insert into addresses (subnet_id, address, state, port_id) values (p_subnet, r.first + n, 'used', p_port)
        on conflict do nothing returning address into got;
      if got is not null then return got; end if;
    end loop;
  end loop;
  select make_interval(secs => quarantine_seconds) into rest from subnets where id = p_subnet;
  for attempt in 1..3 loop
    select address into got from addresses
      where subnet_id = p_subnet and state = 'free' and freed_at <= clock_timestamp() - rest
      order by freed_at, address limit 1 for update skip locked;
    if got is null then
      insert into addresses (subnet_id, address, state)
        select p_subnet, i.first + g, 'free' from ip_ranges i, generate_series(0, i.last - i.first) g
        where i.subnet_id = p_subnet
          and not exists (select from addresses a where a.subnet_id = p_subnet and a.address = i.first + g)
        limit 64
        on conflict do nothing;
      select address into got from addresses
        where subnet_id = p_subnet and state = 'free' and freed_at <= clock_timestamp() - rest
        order by freed_at, address limit 1 for update;
    end if;
    if got is not null then
      update addresses set state = 'used', port_id = p_port where subnet_id = p_subnet and address = got and state = 'free';
      if found then return got; end if;
      got := null;
    end if;
  end loop;
  return null;
end $$;
`

export async function up(knex: Knex): Promise<void> {
  for (const statements of [identity, catalogue, network, compute, allocation]) await knex.raw(statements)
}

export function down(): Promise<void> {
  throw new Error('migrations go forward only')
}

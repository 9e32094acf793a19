/**
 * Addresses held for a name, who had an address before, groups of pools, ranges that change while in use.
 *
 * Why: operators answer for each address: whose it is, since when, whose it was; and a machine of a name keeps its address.
 * Locks: addresses and subnets for as long as adding a column takes. Tolerated by: code that calls allocate_address with two arguments.
 */
import type { Knex } from 'knex'

const tables = `
alter table subnets add column warn_percent integer not null default 80 check (warn_percent between 1 and 100);
alter table addresses
  add column reserved_for text,
  add column note text not null default '',
  add column since timestamptz not null default now();
create unique index addresses_reserved_for on addresses (subnet_id, reserved_for) where reserved_for is not null;
create table address_history (
  id bigint generated always as identity primary key,
  subnet_id uuid not null references subnets on delete cascade,
  address inet not null,
  port_id uuid not null,
  mac macaddr,
  server_id uuid,
  name text,
  since timestamptz not null,
  until timestamptz not null default clock_timestamp()
);
create index address_history_address on address_history (subnet_id, address, id desc);
create index address_history_mac on address_history (mac);
create index address_history_server on address_history (server_id);
create index address_history_name on address_history (name);
create table pool_groups (
  id uuid primary key,
  name text not null unique,
  description text not null default '',
  created_at timestamptz not null default now()
);
create table pool_group_members (
  group_id uuid not null references pool_groups on delete cascade,
  position integer not null,
  network_id uuid not null references networks on delete cascade,
  primary key (group_id, position),
  unique (group_id, network_id)
);
`

/** Whichever statement takes an address from a port: its history is kept, and a reservation stays one. */
const leaving = `
create function address_left() returns trigger language plpgsql as $$
begin
  insert into address_history (subnet_id, address, port_id, mac, server_id, name, since)
    select old.subnet_id, old.address, old.port_id, p.mac, p.server_id, coalesce(s.name, nullif(p.name, '')), old.since
    from (select old.port_id as id) o left join ports p on p.id = o.id left join servers s on s.id = p.server_id;
  new.since := clock_timestamp();
  if new.state = 'free' and new.reserved_for is not null then new.state := 'reserved'; end if;
  return new;
end $$;
create trigger address_left before update on addresses
  for each row when (old.state = 'used' and new.state <> 'used') execute function address_left();
`

/** Without a port the address is reserved: for the name, if there is one. */
const allocation = `
drop function allocate_address(uuid, uuid);
create function allocate_address(p_subnet uuid, p_port uuid, p_name text default null) returns inet language plpgsql as $$
declare
  r record;
  n bigint;
  got inet;
  rest interval;
  wanted text := case when p_port is null then 'reserved' else 'used' end;
  holder text := case when p_port is null then p_name end;
begin
  if p_name is not null and p_port is not null then
    update addresses set state = 'used', port_id = p_port, since = now()
      where subnet_id = p_subnet and reserved_for = p_name and state = 'reserved' returning address into got;
    if got is not null then return got; end if;
  end if;
  perform pg_advisory_xact_lock_shared(hashtextextended(p_subnet::text, 1));
  for r in select id, first, last from ip_ranges where subnet_id = p_subnet order by first loop
    loop
      n := nextval(('ip_range_' || r.id)::regclass);
      exit when n > r.last - r.first;
      continue when not pg_try_advisory_xact_lock(address_lock(p_subnet, r.first + n));
      insert into addresses (subnet_id, address, state, port_id, reserved_for) values (p_subnet, r.first + n, wanted, p_port, holder)
        on conflict do nothing returning address into got;
      if got is not null then return got; end if;
    end loop;
  end loop;
  select make_interval(secs => quarantine_seconds) into rest from subnets where id = p_subnet;
  select address into got from addresses a
    where subnet_id = p_subnet and state = 'free' and freed_at <= clock_timestamp() - rest
      and exists (select from ip_ranges i where i.subnet_id = p_subnet and a.address between i.first and i.last)
    order by freed_at, address limit 1 for update skip locked;
  if got is not null then
    update addresses set state = wanted, port_id = p_port, reserved_for = holder, since = now()
      where subnet_id = p_subnet and address = got;
    return got;
  end if;
  for r in select i.first + g as address from ip_ranges i, generate_series(0, i.last - i.first) g
           where i.subnet_id = p_subnet
             and not exists (select from addresses a where a.subnet_id = p_subnet and a.address = i.first + g) loop
    continue when not pg_try_advisory_xact_lock(address_lock(p_subnet, r.address));
    insert into addresses (subnet_id, address, state, port_id, reserved_for) values (p_subnet, r.address, wanted, p_port, holder)
      on conflict do nothing returning address into got;
    if got is not null then return got; end if;
  end loop;
  return null;
end $$;
`

export async function up(knex: Knex): Promise<void> {
  for (const statements of [tables, leaving, allocation]) await knex.raw(statements)
}

export function down(): Promise<void> {
  throw new Error('migrations go forward only')
}

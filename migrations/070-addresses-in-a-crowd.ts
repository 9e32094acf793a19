/**
 * A crowd of callers is never told falsely that a subnet is full, and never waits for one another; addresses can be probed before they are
 * first used.
 *
 * Why: a caller whose candidates were all taken between its look and its grasp saw nothing of what others had freed meanwhile. Now it
 * looks again as long as there is anything to be seen. The address of a name is passed by while another transaction has it in hand.
 * `probe_due` marks an address that nobody has had yet, in a subnet that wants such addresses asked for on the wire.
 * Locks: subnets, addresses and address_history for as long as adding a column and an index takes. Tolerated by: every version of the code.
 */
import type { Knex } from 'knex'

const columns = `
alter table subnets add column arp_probe boolean not null default false;
alter table addresses add column probe_due boolean not null default false;
alter table address_history add column note text not null default '';
create index address_history_until on address_history (subnet_id, until);
`

const allocation = `
create or replace function allocate_address(p_subnet uuid, p_port uuid, p_name text default null) returns inet language plpgsql as $$
declare
  r record;
  n bigint;
  got inet;
  rest interval;
  probing boolean;
  wanted text := case when p_port is null then 'reserved' else 'used' end;
  holder text := case when p_port is null then p_name end;
begin
  if p_name is not null and p_port is not null then
    select address into got from addresses
      where subnet_id = p_subnet and reserved_for = p_name and state = 'reserved' for update skip locked;
    if got is not null then
      update addresses set state = 'used', port_id = p_port, since = now() where subnet_id = p_subnet and address = got;
      return got;
    end if;
  end if;
  perform pg_advisory_xact_lock_shared(hashtextextended(p_subnet::text, 1));
  select make_interval(secs => quarantine_seconds), arp_probe and p_port is not null into rest, probing
    from subnets where id = p_subnet;
  for r in select id, first, last from ip_ranges where subnet_id = p_subnet order by first loop
    loop
      n := nextval(('ip_range_' || r.id)::regclass);
      exit when n > r.last - r.first;
      continue when not pg_try_advisory_xact_lock(address_lock(p_subnet, r.first + n));
      insert into addresses (subnet_id, address, state, port_id, reserved_for, probe_due)
        values (p_subnet, r.first + n, wanted, p_port, holder, probing)
        on conflict do nothing returning address into got;
      if got is not null then return got; end if;
    end loop;
  end loop;
  for look in 1..5 loop
    for grasp in 1..50 loop
      select address into got from addresses a
        where subnet_id = p_subnet and state = 'free' and freed_at <= clock_timestamp() - rest
          and exists (select from ip_ranges i where i.subnet_id = p_subnet and a.address between i.first and i.last)
        order by freed_at, address limit 1 for update skip locked;
      if got is not null then
        update addresses set state = wanted, port_id = p_port, reserved_for = holder, since = now()
          where subnet_id = p_subnet and address = got;
        return got;
      end if;
      exit when not rested_address(p_subnet, rest);
      perform pg_sleep(0.001);
    end loop;
    for r in select i.first + g as address from ip_ranges i, generate_series(0, i.last - i.first) g
             where i.subnet_id = p_subnet
               and not exists (select from addresses a where a.subnet_id = p_subnet and a.address = i.first + g) loop
      continue when not pg_try_advisory_xact_lock(address_lock(p_subnet, r.address));
      insert into addresses (subnet_id, address, state, port_id, reserved_for, probe_due)
        values (p_subnet, r.address, wanted, p_port, holder, probing)
        on conflict do nothing returning address into got;
      if got is not null then return got; end if;
    end loop;
    exit when not rested_address(p_subnet, rest);
  end loop;
  return null;
end $$;
`

/** Volatile: it sees what was committed while its caller ran. */
const rested = `
create function rested_address(p_subnet uuid, p_rest interval) returns boolean language sql volatile as $$
  select exists (select from addresses a
    where a.subnet_id = p_subnet and a.state = 'free' and a.freed_at <= clock_timestamp() - p_rest
      and exists (select from ip_ranges i where i.subnet_id = p_subnet and a.address between i.first and i.last))
$$;
`

export async function up(knex: Knex): Promise<void> {
  for (const statements of [columns, rested, allocation]) await knex.raw(statements)
}

export function down(): Promise<void> {
  throw new Error('migrations go forward only')
}

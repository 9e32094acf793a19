/**
 * Handing out addresses never waits for another transaction.
 *
 * Why: filling the gaps that rollbacks leave inserted many rows at once; two callers could wait for each other's, a deadlock. Now a
 * caller takes one address, under an advisory lock of that address, and passes by what another is just taking.
 * Locks: none, a function is replaced. Tolerated by: every version of the code.
 */
import type { Knex } from 'knex'

const allocation = `
create function address_lock(p_subnet uuid, p_address inet) returns bigint language sql immutable as $$
  select hashtextextended(p_subnet::text || host(p_address), 0)
$$;
create or replace function allocate_address(p_subnet uuid, p_port uuid) returns inet language plpgsql as $$
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
      continue when not pg_try_advisory_xact_lock(address_lock(p_subnet, r.first + n));
      insert into addresses (subnet_id, address, state, port_id) values (p_subnet, r.first + n, 'used', p_port)
        on conflict do nothing returning address into got;
      if got is not null then return got; end if;
    end loop;
  end loop;
  select make_interval(secs => quarantine_seconds) into rest from subnets where id = p_subnet;
  select address into got from addresses
    where subnet_id = p_subnet and state = 'free' and freed_at <= clock_timestamp() - rest
    order by freed_at, address limit 1 for update skip locked;
  if got is not null then
    update addresses set state = 'used', port_id = p_port where subnet_id = p_subnet and address = got;
    return got;
  end if;
  for r in select i.first + g as address from ip_ranges i, generate_series(0, i.last - i.first) g
           where i.subnet_id = p_subnet
             and not exists (select from addresses a where a.subnet_id = p_subnet and a.address = i.first + g) loop
    continue when not pg_try_advisory_xact_lock(address_lock(p_subnet, r.address));
    insert into addresses (subnet_id, address, state, port_id) values (p_subnet, r.address, 'used', p_port)
      on conflict do nothing returning address into got;
    if got is not null then return got; end if;
  end loop;
  return null;
end $$;
`

export async function up(knex: Knex): Promise<void> {
  await knex.raw(allocation)
}

export function down(): Promise<void> {
  throw new Error('migrations go forward only')
}

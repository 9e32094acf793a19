/**
 * What a host has beyond its size, what an operator sets over what its agent says, and how full it is, kept beside it by a trigger.
 *
 * Why: a claim is then one statement that looks at one row, however many servers there are, and a host says why it is disabled.
 * Locks: one on hosts and one on allocations, for as long as the sums take to be written; the columns have constant defaults. Tolerated
 * by: every version of the code, since older code neither reads the sums nor knows of the rest.
 */
import type { Knex } from 'knex'

const inventory = `
alter table hosts
  add column rack text,
  add column reserved_vcpus integer not null default 0 check (reserved_vcpus >= 0),
  add column reserved_disk_gib integer not null default 0 check (reserved_disk_gib >= 0),
  add column disabled_as text not null default 'disabled' check (disabled_as in ('disabled', 'draining', 'maintenance')),
  add column own_limits jsonb not null default '{}',
  add column set_limits jsonb not null default '{}',
  add column set_traits text[] not null default '{}',
  add column load_per_cpu real not null default 0,
  add column available_memory_mib integer,
  add column used_vcpus integer not null default 0,
  add column used_memory_mib integer not null default 0,
  add column used_disk_gib integer not null default 0,
  add column servers integer not null default 0;
create table host_images (
  host text not null references hosts on delete cascade,
  digest text not null,
  since timestamptz not null default now(),
  primary key (digest, host)
);
create index host_images_host on host_images (host);
`

const sums = `
create function keep_host_use() returns trigger language plpgsql as $$
begin
  if tg_op <> 'INSERT' then
    update hosts set used_vcpus = used_vcpus - old.vcpus, used_memory_mib = used_memory_mib - old.memory_mib,
                     used_disk_gib = used_disk_gib - old.disk_gib, servers = servers - 1
    where name = old.host;
  end if;
  if tg_op <> 'DELETE' then
    update hosts set used_vcpus = used_vcpus + new.vcpus, used_memory_mib = used_memory_mib + new.memory_mib,
                     used_disk_gib = used_disk_gib + new.disk_gib, servers = servers + 1
    where name = new.host;
  end if;
  return null;
end $$;
lock table allocations in share row exclusive mode;
create trigger allocations_host_use after insert or update or delete on allocations
  for each row execute function keep_host_use();
update hosts h set used_vcpus = a.vcpus, used_memory_mib = a.memory_mib, used_disk_gib = a.disk_gib, servers = a.servers
from (select host, sum(vcpus) as vcpus, sum(memory_mib) as memory_mib, sum(disk_gib) as disk_gib, count(*) as servers
      from allocations group by host) a
where a.host = h.name;
update hosts set own_limits = jsonb_build_object('cpuRatio', cpu_ratio, 'memoryRatio', memory_ratio, 'diskRatio', disk_ratio,
  'reservedVcpus', reserved_vcpus, 'reservedMemoryMiB', reserved_memory_mib, 'reservedDiskGiB', reserved_disk_gib);
`

export async function up(knex: Knex): Promise<void> {
  await knex.raw(inventory)
  await knex.raw(sums)
}

export function down(): Promise<void> {
  throw new Error('migrations go forward only')
}

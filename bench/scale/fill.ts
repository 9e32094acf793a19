/** Servers by the thousand, as rows like those of servers that were made one by one. */
import { randomUUID } from 'node:crypto'
import type { Db } from '../../db/connect.ts'

interface Wanted {
  readonly count: number
  readonly hosts: number
  /** whether they stand on hosts already, or wait for one with a job in the queue */
  readonly isPlaced: boolean
}

const servers = `
  insert into made (id, port_id, number) select gen_random_uuid(), gen_random_uuid(), number + i
    from generate_series(1, :count::int) i, (select count(*) as number from servers) s;
`

/** All in one transaction; the trigger on claims keeps the books of the hosts. */
export async function addServers(db: Db, { count, hosts, isPlaced }: Wanted): Promise<readonly string[]> {
  return await db.transaction(async (trx) => {
    await trx.raw('create temporary table made (id uuid, port_id uuid, number int) on commit drop')
    await trx.raw(servers, { count })
    await trx.raw(
      `insert into servers (id, project_id, user_id, name, hostname, vm_state, task_state, power_state, host, flavor, image_id,
                            image_reference, reservation_id, created_at)
       select m.id, p.id, 'bench', 'server-' || m.number, 'server-' || m.number,
              case when :isPlaced then 'active' else 'building' end, case when :isPlaced then null else 'scheduling' end,
              case when :isPlaced then 1 else 0 end, case when :isPlaced then 'host-' || (1 + m.number % :hosts) end,
              jsonb_build_object('id', f.id, 'name', f.name, 'vcpus', f.vcpus, 'memoryMiB', f.memory_mib, 'diskGiB', f.disk_gib,
                                 'extraSpecs', '{}'::jsonb),
              i.id, i.reference, 'r-bench', clock_timestamp()
       from made m, (select id from projects where name = 'admin') p, (select * from flavors where name = 'm1.tiny') f, images i`,
      { isPlaced, hosts },
    )
    await trx.raw(
      `insert into ports (id, network_id, project_id, mac, device_id, device_owner, server_id, position, is_owned_by_server, host, status)
       select m.port_id, n.id, n.project_id, ('fa16' || lpad(to_hex(m.number), 8, '0'))::macaddr,
              m.id::text, 'compute:nova', m.id, 0, true, case when :isPlaced then 'host-' || (1 + m.number % :hosts) end,
              case when :isPlaced then 'ACTIVE' else 'DOWN' end
       from made m, networks n where n.name = 'wide'`,
      { isPlaced, hosts },
    )
    await trx.raw(
      `insert into port_security_groups select m.port_id, g.id
       from made m, security_groups g, networks n where n.name = 'wide' and g.project_id = n.project_id and g.name = 'default'`,
    )
    await trx.raw(
      `insert into addresses (subnet_id, address, state, port_id)
       select s.id, host(network(s.cidr::cidr))::inet + 4096 + m.number, 'used', m.port_id
       from made m, subnets s join networks n on n.id = s.network_id where n.name = 'wide'`,
    )
    if (isPlaced)
      await trx.raw(
        `insert into allocations (server_id, host, vcpus, memory_mib, disk_gib)
         select m.id, 'host-' || (1 + m.number % :hosts), f.vcpus, f.memory_mib, f.disk_gib
         from made m, (select * from flavors where name = 'm1.tiny') f`,
        { hosts },
      )
    const { rows } = await trx.raw<{ rows: { id: string }[] }>('select id from made')
    return rows.map(({ id }) => id)
  })
}

/** The jobs of waiting servers, all at once: the schedulers find a full queue. */
export async function enqueueAll(db: Db, serverIds: readonly string[]): Promise<void> {
  await db.raw(
    `select graphile_worker.add_jobs(array_agg(('schedule', json_build_object('serverId', id, 'requestId', ?::text, 'adminPassword', null),
                                                null, null, 25::smallint, null, null, null)::graphile_worker.job_spec))
     from unnest(?::uuid[]) id`,
    [`req-${randomUUID()}`, [...serverIds]],
  )
}

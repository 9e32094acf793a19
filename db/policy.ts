/** Security groups as a host enforces them. */
import type { GroupRule, Policy } from '../core/network.ts'
import type { Db } from './connect.ts'

interface GroupRow {
  readonly id: string
  readonly rules: readonly GroupRule[]
}

interface MembersRow {
  readonly groupId: string
  readonly addresses: readonly string[]
}

/** The groups of a host's ports, with the members, on any host, of those that their rules name. */
export async function policyOf(db: Db, host: string): Promise<Policy> {
  const { rows: groups } = await db.raw<{ rows: GroupRow[] }>(
    `select g.id, coalesce(json_agg(json_build_object('id', r.id, 'direction', r.direction,
              'family', case r.ethertype when 'IPv4' then 4 else 6 end, 'protocol', r.protocol,
              'portMin', r.port_range_min, 'portMax', r.port_range_max, 'remotePrefix', r.remote_ip_prefix::text,
              'remoteGroupId', r.remote_group_id) order by r.id) filter (where r.id is not null), '[]') as rules
     from security_groups g left join security_group_rules r on r.security_group_id = g.id
     where g.id in (select x.security_group_id from port_security_groups x join ports p on p.id = x.port_id
                    join servers v on v.id = p.server_id where v.host = ? and v.deleted_at is null)
     group by g.id order by g.id`,
    [host],
  )
  const named = groups.flatMap(({ rules }) =>
    rules.map(({ remoteGroupId }) => remoteGroupId).filter((id) => id !== null),
  )
  return { groups, members: await membersOf(db, [...new Set(named)]) }
}

async function membersOf(db: Db, groupIds: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>> {
  if (groupIds.length === 0) return new Map()
  const { rows } = await db.raw<{ rows: MembersRow[] }>(
    `select x.security_group_id as group_id, array_agg(distinct m.address order by m.address) as addresses
     from port_security_groups x join ports p on p.id = x.port_id, lateral (
       select host(a.address) as address from addresses a where a.port_id = p.id
       union all select pair->>'address' from jsonb_array_elements(p.allowed_address_pairs) pair) m
     where x.security_group_id = any(?::uuid[]) group by x.security_group_id`,
    [[...groupIds]],
  )
  return new Map(rows.map(({ groupId, addresses }) => [groupId, addresses]))
}

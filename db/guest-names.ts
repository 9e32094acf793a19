/** Names of servers and their addresses, within one network: what its DNS tells. */
import type { Db } from './connect.ts'

/** Addresses, in the network of the port, of live servers of this name or host name; either also with the network's name behind a dot. */
export async function addressesOfName(db: Db, portId: string, name: string): Promise<readonly string[]> {
  const { rows } = await db.raw<{ rows: { address: string }[] }>(
    `select host(a.address) as address
     from ports asking join networks n on n.id = asking.network_id join ports p on p.network_id = n.id
       join servers s on s.id = p.server_id and s.deleted_at is null join addresses a on a.port_id = p.id
     where asking.id = :portId
       and lower(:name) in (lower(s.name), lower(s.hostname), lower(s.name || '.' || n.name), lower(s.hostname || '.' || n.name))
     order by family(a.address), a.address`,
    { portId, name },
  )
  return rows.map(({ address }) => address)
}

export interface AddressOwner {
  /** host name of the live server that has it; null = nobody has */
  readonly name: string | null
}

/** Who has an address of the port's network. @returns null when the address lies in none of its subnets */
export async function ownerOfAddress(db: Db, portId: string, address: string): Promise<AddressOwner | null> {
  const { rows } = await db.raw<{ rows: AddressOwner[] }>(
    `select (select s.hostname from addresses a join ports p on p.id = a.port_id
               join servers s on s.id = p.server_id and s.deleted_at is null
             where a.subnet_id = u.id and a.address = :address::inet) as name
     from ports asking join subnets u on u.network_id = asking.network_id
     where asking.id = :portId and u.cidr >>= :address::inet limit 1`,
    { portId, address },
  )
  return rows[0] ?? null
}

/** Whom the subnets of the port's addresses name as resolvers. */
export async function resolversOfPort(db: Db, portId: string): Promise<readonly string[]> {
  const { rows } = await db.raw<{ rows: { resolver: string }[] }>(
    `select distinct unnest(s.dns_servers) as resolver from addresses a join subnets s on s.id = a.subnet_id where a.port_id = ?`,
    [portId],
  )
  return rows.map(({ resolver }) => resolver)
}

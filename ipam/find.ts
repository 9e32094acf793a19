/** Whose is this address, since when, and whose was it before. */
import type { Db } from '../db/connect.ts'

/** Who has an address, or had it. */
export interface Holding {
  readonly address: string
  readonly subnetId: string
  readonly networkId: string
  readonly networkName: string
  readonly state: 'used' | 'reserved' | 'quarantined' | 'past'
  readonly mac: string | null
  readonly portId: string | null
  readonly serverId: string | null
  /** of the server, the port or the reservation */
  readonly name: string | null
  readonly reservedFor: string | null
  readonly note: string
  readonly host: string | null
  readonly since: Date
  /** null = now; of one in quarantine when it may be handed out again */
  readonly until: Date | null
}

/** One of them is given. */
export interface Clue {
  readonly address?: string | undefined
  readonly mac?: string | undefined
  readonly name?: string | undefined
  readonly serverId?: string | undefined
}

const most = 1000

/** Those that hold an address now. */
const present = `select host(a.address) as address, a.subnet_id, n.id as network_id, n.name as network_name, a.state, p.mac::text as mac,
              a.port_id, p.server_id, coalesce(s.name, nullif(p.name, ''), a.reserved_for) as name, a.reserved_for, a.note, p.host,
              a.since, null::timestamptz as until
       from addresses a join subnets u on u.id = a.subnet_id join networks n on n.id = u.network_id
         left join ports p on p.id = a.port_id left join servers s on s.id = p.server_id
       where a.state <> 'free'`

/** Those that rest. */
const resting = `select host(a.address), a.subnet_id, n.id, n.name, 'quarantined', null, null, null, null, null, a.note, null,
              a.freed_at, a.freed_at + make_interval(secs => u.quarantine_seconds)
       from addresses a join subnets u on u.id = a.subnet_id join networks n on n.id = u.network_id
       where a.state = 'free' and a.freed_at > clock_timestamp() - make_interval(secs => u.quarantine_seconds)`

/** The present holders first, or until when it rests, then those before them, the latest first; 1,000 at most. */
export async function find(db: Db, { address, mac, name, serverId }: Clue): Promise<readonly Holding[]> {
  const clue = { address: address ?? null, mac: mac ?? null, name: name ?? null, serverId: serverId ?? null, most }
  const { rows } = await db.raw<{ rows: Holding[] }>(
    `select * from (
       ${present}
       union all
       ${resting}
       union all
       select host(h.address), h.subnet_id, n.id, n.name, 'past', h.mac::text, h.port_id, h.server_id, h.name, null, h.note, null, h.since, h.until
       from address_history h join subnets u on u.id = h.subnet_id join networks n on n.id = u.network_id
     ) found
     where (:address::inet is null or address::inet = :address::inet) and (:mac::macaddr is null or mac::macaddr = :mac::macaddr)
       and (:name::text is null or name = :name or reserved_for = :name) and (:serverId::uuid is null or server_id = :serverId::uuid)
     order by until desc nulls first, since desc limit :most`,
    clue,
  )
  return rows
}

/** Every address of these subnets that is used or reserved, in order. */
export async function heldIn(db: Db, subnetIds: readonly string[]): Promise<readonly Holding[]> {
  const { rows } = await db.raw<{ rows: Holding[] }>(
    `${present} and a.subnet_id = any(?::uuid[]) order by family(a.address), a.address`,
    [[...subnetIds]],
  )
  return rows
}

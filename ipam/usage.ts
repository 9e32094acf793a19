import type { Db } from '../db/connect.ts'

export interface Usage {
  readonly used: number
  readonly reserved: number
  readonly quarantined: number
}

/** How many addresses of a subnet are not to be had, and why. */
export async function usage(db: Db, subnetId: string): Promise<Usage> {
  const { rows } = await db.raw<{ rows: Usage[] }>(
    `select count(*) filter (where state = 'used')::int as used,
            count(*) filter (where state = 'reserved')::int as reserved,
            count(*) filter (where state = 'free' and freed_at > clock_timestamp() - make_interval(secs => s.quarantine_seconds))::int
              as quarantined
     from addresses join subnets s on s.id = subnet_id where subnet_id = ?`,
    [subnetId],
  )
  return rows[0] ?? { used: 0, reserved: 0, quarantined: 0 }
}

import type { Db } from '../db/connect.ts'

/** How full a subnet is, in addresses. */
export interface Usage {
  readonly used: number
  readonly reserved: number
  readonly quarantined: number
  /** of these, those in the ranges: they cannot be handed out */
  readonly taken: number
}

/** How many addresses of a subnet are not to be had, and why. */
export async function usage(db: Db, subnetId: string): Promise<Usage> {
  const { rows } = await db.raw<{ rows: Usage[] }>(
    `with held as (
       select a.address, case when a.state <> 'free' then a.state else 'quarantined' end as state
       from addresses a join subnets s on s.id = a.subnet_id
       where a.subnet_id = :subnetId
         and (a.state <> 'free' or a.freed_at > clock_timestamp() - make_interval(secs => s.quarantine_seconds)))
     select count(*) filter (where state = 'used')::int as used,
            count(*) filter (where state = 'reserved')::int as reserved,
            count(*) filter (where state = 'quarantined')::int as quarantined,
            count(*) filter (where exists (select from ip_ranges i where i.subnet_id = :subnetId
                                             and held.address between i.first and i.last))::int as taken
     from held`,
    { subnetId },
  )
  return rows[0] ?? { used: 0, reserved: 0, quarantined: 0, taken: 0 }
}

/** How fast a subnet fills. */
export interface Pace {
  readonly handedOut: number
  readonly givenBack: number
}

/** How many addresses of a subnet came to a port, and left one, in the last so many days. */
export async function paceOf(db: Db, subnetId: string, days: number): Promise<Pace> {
  const { rows } = await db.raw<{ rows: Pace[] }>(
    `with start as (select now() - make_interval(days => :days) as at),
       past as (select since, until from address_history, start where subnet_id = :subnetId and until > start.at)
     select (select count(*) from addresses, start where subnet_id = :subnetId and state = 'used' and since > start.at)::int
            + (select count(*) from past, start where past.since > start.at)::int as handed_out,
            (select count(*) from past)::int as given_back`,
    { subnetId, days },
  )
  return rows[0] ?? { handedOut: 0, givenBack: 0 }
}

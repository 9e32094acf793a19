/** A picture of a subnet: its addresses in order, in blocks that fit a screen. */
import type { Db } from '../db/connect.ts'

/** Neighbouring addresses, counted together. */
export interface Block {
  readonly first: string
  readonly size: number
  readonly used: number
  readonly reserved: number
  readonly quarantined: number
}

/** What one look takes in. */
const mostBlocks = 1024
/** More addresses than any subnet that is drawn whole: of a larger one the beginning is drawn. */
const mostBits = 32

/**
 * Blocks of a power of two addresses, all of one size, from the first address of the subnet on; those past the last used one of a
 * large subnet are left out.
 */
export async function mapOf(db: Db, subnetId: string, cidr: string): Promise<readonly Block[]> {
  const length = Number(cidr.split('/')[1])
  const bits = Math.min((cidr.includes(':') ? 128 : 32) - length, mostBits)
  const blockBits = Math.max(0, bits - Math.log2(mostBlocks))
  const { rows } = await db.raw<{ rows: Block[] }>(
    `with taken as (
       select (a.address - network(s.cidr)::inet) / :size::bigint as b,
              count(*) filter (where a.state = 'used')::int as used,
              count(*) filter (where a.state = 'reserved')::int as reserved,
              count(*) filter (where a.state = 'free'
                and a.freed_at > clock_timestamp() - make_interval(secs => s.quarantine_seconds))::int as quarantined
       from addresses a join subnets s on s.id = a.subnet_id where s.id = :subnetId group by 1)
     select host(network(s.cidr)::inet + b * :size::bigint) as first, :size::int as size,
            coalesce(used, 0) as used, coalesce(reserved, 0) as reserved, coalesce(quarantined, 0) as quarantined
     from subnets s cross join generate_series(0, :blocks::bigint - 1) b left join taken using (b)
     where s.id = :subnetId order by b`,
    { subnetId, size: 2 ** blockBits, blocks: 2 ** (bits - blockBits) },
  )
  return rows
}

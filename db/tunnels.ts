/** The ends of tunnels between hosts, as their agents tell them. */
import type { Db } from './connect.ts'

/** Addresses of all hosts but this one. */
export async function tunnelsBeside(db: Db, host: string): Promise<readonly string[]> {
  const { rows } = await db.raw<{ rows: { address: string }[] }>(
    `select traits->>'tunnelAddress' as address from hosts
     where name <> ? and traits->>'tunnelAddress' is not null order by 1`,
    [host],
  )
  return rows.map(({ address }) => address)
}

/** Bytes of a guest's packet that the tunnels of every host carry; null = no host has said. */
export async function tunnelMtu(db: Db): Promise<number | null> {
  const { rows } = await db.raw<{ rows: { mtu: number | null }[] }>(
    `select min((traits->>'tunnelMtu')::int) as mtu from hosts`,
  )
  return rows[0]?.mtu ?? null
}

import type { Transaction } from '../db/connect.ts'

/**
 * Gives back every address of a port; they rest in quarantine from now on. A port without addresses is left as it is.
 *
 * @returns the addresses that were given back
 */
export async function release(trx: Transaction, portId: string): Promise<readonly string[]> {
  const { rows } = await trx.raw<{ rows: { address: string }[] }>(
    `update addresses set state = 'free', port_id = null, freed_at = clock_timestamp() where port_id = ?
     returning host(address) as address`,
    [portId],
  )
  return rows.map((row) => row.address)
}

/** Gives back one address of a port; it rests in quarantine from now on. One that the port has not is left as it is. */
export async function releaseOne(
  trx: Transaction,
  { portId, subnetId, address }: { readonly portId: string; readonly subnetId: string; readonly address: string },
): Promise<void> {
  await trx.raw(
    `update addresses set state = 'free', port_id = null, freed_at = clock_timestamp()
     where port_id = ? and subnet_id = ? and address = ?::inet`,
    [portId, subnetId, address],
  )
}

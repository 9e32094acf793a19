import { SubnetFull } from '../core/errors.ts'
import type { Transaction } from '../db/connect.ts'
import type { Subnet } from './subnet.ts'
import { usage } from './usage.ts'

/**
 * The next free address of a subnet: the one reserved for the name, if any; else the lowest never used, else the one freed longest
 * ago (past its quarantine), so that switches are not made to relearn a neighbour at once. The order is that of Triton's sdc-napi.
 * Two callers never get the same one: unique (subnet_id, address).
 *
 * @param trx    the caller's transaction; the address is held when it commits
 * @param name   of the server; null = no reservation counts
 * @returns      the address without prefix length, such as '10.0.4.17'
 * @throws       SubnetFull when every address is allocated, reserved or in quarantine
 */
export async function allocate(
  trx: Transaction,
  subnet: Pick<Subnet, 'id'>,
  portId: string,
  name: string | null = null,
): Promise<string> {
  const { rows } = await trx
    .raw<{ rows: { address: string | null }[] }>('select host(allocate_address(?, ?, ?)) as address', [
      subnet.id,
      portId,
      name,
    ])
    .options({ name: 'an address' })
  const address = rows[0]?.address
  if (address) return address
  const counts = await usage(trx, subnet.id)
  throw new SubnetFull(
    subnet.id,
    `${counts.used} used, ${counts.reserved} reserved, ${counts.quarantined} in quarantine`,
  )
}

/** Subnets and ports to try allocation on. */
import { randomUUID } from 'node:crypto'
import type { Db, Transaction } from '../../db/connect.ts'
import { newMac } from '../../ipam/mac.ts'
import { createRanges } from '../../ipam/ranges.ts'
import type { Range, Subnet } from '../../ipam/subnet.ts'

export interface Pool extends Subnet {
  readonly networkId: string
}

export async function newPool(
  db: Db,
  cidr: string,
  {
    gateway = null,
    ranges = null,
    quarantineSeconds = 0,
  }: { gateway?: string | null; ranges?: readonly Range[] | null; quarantineSeconds?: number } = {},
): Promise<Pool> {
  return await db.transaction(async (trx) => {
    const networkId = randomUUID()
    const id = randomUUID()
    await trx('networks').insert({ id: networkId, projectId: 'p', name: 'n', mtu: 1500 })
    await trx('subnets').insert({ id, networkId, projectId: 'p', name: 's', cidr, gateway, quarantineSeconds })
    const subnet = { id, cidr, gateway }
    await createRanges(trx, subnet, ranges)
    return { ...subnet, networkId }
  })
}

export async function newPort(trx: Transaction, pool: Pool): Promise<string> {
  const id = randomUUID()
  await trx('ports').insert({ id, networkId: pool.networkId, projectId: 'p', mac: newMac() })
  return id
}

/** Pools as operators see them: a network with its subnets, their ranges, and how full they are. */
import { NotFound } from '../core/errors.ts'
import { isUuid } from '../core/uuid.ts'
import type { Db } from '../db/connect.ts'
import { rangesOf, sizeOf } from './ranges.ts'
import type { Range, Subnet } from './subnet.ts'
import { usage } from './usage.ts'

/** A subnet with what its pool says of handing out. */
export interface PoolSubnet extends Subnet {
  readonly name: string
  readonly ranges: readonly Range[]
  readonly quarantineSeconds: number
  /** from this share of its addresses on, the pool warns */
  readonly warnPercent: number
  /** whether the wire is asked for an address before its first use */
  readonly arpProbe: boolean
  readonly size: bigint
  readonly used: number
  readonly reserved: number
  readonly quarantined: number
  readonly free: bigint
  readonly level: 'ok' | 'warning' | 'full'
}

/** A network as a source of addresses. */
export interface Pool {
  readonly id: string
  readonly name: string
  readonly vlan: number | null
  readonly mtu: number
  readonly shared: boolean
  readonly projectId: string
  readonly subnets: readonly PoolSubnet[]
}

interface SubnetOfPool extends Subnet {
  readonly name: string
  readonly quarantineSeconds: number
  readonly warnPercent: number
  readonly arpProbe: boolean
}

async function withUsage(db: Db, subnet: SubnetOfPool): Promise<PoolSubnet> {
  const { id, name, cidr, gateway, quarantineSeconds, warnPercent, arpProbe } = subnet
  const [ranges, { used, reserved, quarantined, ...counts }] = await Promise.all([rangesOf(db, id), usage(db, id)])
  const size = sizeOf(ranges)
  const taken = BigInt(counts.taken)
  const free = size > taken ? size - taken : 0n
  const level = free === 0n ? 'full' : taken * 100n >= size * BigInt(warnPercent) ? 'warning' : 'ok'
  return {
    id,
    name,
    cidr,
    gateway,
    quarantineSeconds,
    warnPercent,
    arpProbe,
    ranges,
    size,
    used,
    reserved,
    quarantined,
    free,
    level,
  }
}

/** By id or name; all when null. */
export async function listPools(db: Db, idOrName: string | null): Promise<readonly Pool[]> {
  const query = db('networks').orderBy(['name', 'id'])
  if (idOrName !== null) void (isUuid(idOrName) ? query.where({ id: idOrName }) : query.where({ name: idOrName }))
  const networks = await query
  const subnets = await db('subnets')
    .whereIn(
      'networkId',
      networks.map(({ id }) => id),
    )
    .orderBy(['createdAt', 'id'])
  return await Promise.all(
    networks.map(async ({ id, name, vlan, mtu, shared, projectId }) => ({
      id,
      name,
      vlan,
      mtu,
      shared,
      projectId,
      subnets: await Promise.all(subnets.filter(({ networkId }) => networkId === id).map((one) => withUsage(db, one))),
    })),
  )
}

/** @throws NotFound */
export async function getPool(db: Db, idOrName: string): Promise<Pool> {
  const [pool] = await listPools(db, idOrName)
  if (!pool) throw new NotFound('Pool', idOrName)
  return pool
}

import ipaddr from 'ipaddr.js'
import { Invalid } from '../core/errors.ts'
import { NetworkError } from '../core/network-errors.ts'
import type { Db, Transaction } from '../db/connect.ts'
import type { Range, Subnet } from './subnet.ts'

/** A sequence counts to 2^63; a range of 2^62 is more than any network holds. */
const largestRange = 1n << 62n

function toNumber(address: string): bigint {
  return ipaddr
    .parse(address)
    .toByteArray()
    .reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n)
}

function toAddress(value: bigint, bytes: number): string {
  const parts = Array.from({ length: bytes }, (_, i) => Number((value >> BigInt(8 * (bytes - 1 - i))) & 0xffn))
  return ipaddr.fromByteArray(parts).toString()
}

interface Bounds {
  readonly first: bigint
  readonly last: bigint
}

function usable(cidr: string): Bounds & { readonly bytes: number } {
  const [network, prefixLength] = ipaddr.parseCIDR(cidr)
  const bytes = network.toByteArray().length
  const hostBits = BigInt(bytes * 8 - prefixLength)
  const base = (toNumber(network.toString()) >> hostBits) << hostBits
  const top = base + (1n << hostBits) - 1n
  if (hostBits < 2n) return { first: base, last: top, bytes }
  return bytes === 4 ? { first: base + 1n, last: top - 1n, bytes } : { first: base + 1n, last: top, bytes }
}

/** All addresses but the network's own, the broadcast and the gateway: what Neutron hands out by default. */
export function defaultRanges(subnet: Subnet): readonly Range[] {
  const { first, last, bytes } = usable(subnet.cidr)
  const gateway = subnet.gateway === null ? null : toNumber(subnet.gateway)
  const parts: Bounds[] =
    gateway === null || gateway < first || gateway > last
      ? [{ first, last }]
      : [
          { first, last: gateway - 1n },
          { first: gateway + 1n, last },
        ]
  return parts
    .filter((part) => part.first <= part.last)
    .map((part) => ({
      first: toAddress(part.first, bytes),
      last: toAddress(part.last - part.first >= largestRange ? part.first + largestRange - 1n : part.last, bytes),
    }))
}

function validate(subnet: Subnet, ranges: readonly Range[]): void {
  const { first, last } = usable(subnet.cidr)
  const gateway = subnet.gateway === null ? null : toNumber(subnet.gateway)
  const seen: Bounds[] = []
  for (const range of ranges) {
    const text = `${range.first}-${range.last}`
    if (!ipaddr.isValid(range.first) || !ipaddr.isValid(range.last))
      throw new NetworkError('InvalidAllocationPool', `The allocation pool ${text} is not valid.`)
    const bounds = { first: toNumber(range.first), last: toNumber(range.last) }
    if (bounds.first > bounds.last)
      throw new NetworkError('InvalidAllocationPool', `The allocation pool ${text} ends before it begins.`)
    if (bounds.first < first || bounds.last > last) {
      throw new NetworkError(
        'OutOfBoundsAllocationPool',
        `The allocation pool ${text} spans beyond the subnet cidr ${subnet.cidr}.`,
      )
    }
    if (gateway !== null && gateway >= bounds.first && gateway <= bounds.last) {
      throw new NetworkError(
        'GatewayConflictWithAllocationPools',
        `Gateway ip ${String(subnet.gateway)} conflicts with allocation pool ${text}.`,
      )
    }
    if (seen.some((other) => bounds.first <= other.last && other.first <= bounds.last)) {
      throw new NetworkError('OverlappingAllocationPools', `Found overlapping allocation pools: ${text}.`)
    }
    seen.push(bounds)
  }
}

/**
 * Makes the addresses of a subnet allocatable.
 *
 * @param ranges inclusive bounds; null = all but the network, broadcast and gateway addresses
 * @throws       NetworkError naming the range that does not fit
 */
export async function createRanges(
  trx: Transaction,
  subnet: Subnet,
  ranges: readonly Range[] | null,
): Promise<readonly Range[]> {
  const wanted = ranges ?? defaultRanges(subnet)
  validate(subnet, wanted)
  for (const range of wanted) await createRange(trx, subnet.id, range)
  return wanted
}

/** How far into the range every address was handed out before: the first that never was. */
async function firstUnused(trx: Transaction, subnetId: string, { first, last }: Range): Promise<number> {
  const { rows } = await trx.raw<{ rows: { offset: number }[] }>(
    `select case when not exists (select from addresses where subnet_id = :subnetId and address = :first::inet) then 0
            else coalesce((select min(a.address) + 1 - :first::inet from addresses a
                           where a.subnet_id = :subnetId and a.address between :first::inet and :last::inet
                             and not exists (select from addresses b where b.subnet_id = a.subnet_id and b.address = a.address + 1)), 0)
            end as "offset"`,
    { subnetId, first, last },
  )
  return rows[0]?.offset ?? 0
}

async function createRange(trx: Transaction, subnetId: string, range: Range): Promise<void> {
  const [row] = await trx('ip_ranges').insert({ subnetId, first: range.first, last: range.last }).returning('id')
  const start = await firstUnused(trx, subnetId, range)
  if (row) await trx.raw(`create sequence ip_range_${row.id} minvalue 0 start ${start} cache 1`)
}

export async function rangesOf(db: Db, subnetId: string): Promise<readonly Range[]> {
  return await db('ip_ranges').where({ subnetId }).orderBy('first').select('first', 'last')
}

/**
 * Other ranges for a subnet that is in use: what is handed out stays so, wherever it lies. Nothing is allocated meanwhile.
 *
 * @throws NetworkError naming the range that does not fit
 */
export async function changeRanges(trx: Transaction, subnet: Subnet, ranges: readonly Range[]): Promise<void> {
  validate(subnet, ranges)
  await trx.raw('select pg_advisory_xact_lock(hashtextextended(?::text, 1))', [subnet.id])
  await dropRanges(trx, subnet.id)
  for (const range of ranges) await createRange(trx, subnet.id, range)
}

function cut(range: Bounds, out: Bounds): readonly Bounds[] {
  if (out.last < range.first || out.first > range.last) return [range]
  return [
    { first: range.first, last: out.first - 1n },
    { first: out.last + 1n, last: range.last },
  ].filter(({ first, last }) => first <= last)
}

function boundsOf({ first, last }: Range): Bounds {
  if (!ipaddr.isValid(first) || !ipaddr.isValid(last)) throw new Invalid(`The range ${first}-${last} is not valid.`)
  return { first: toNumber(first), last: toNumber(last) }
}

/** The ranges without those addresses. */
export function without(ranges: readonly Range[], excluded: Range): readonly Range[] {
  const bytes = ipaddr.parse(excluded.first).toByteArray().length
  const out = boundsOf(excluded)
  return ranges
    .flatMap((range) => cut(boundsOf(range), out))
    .map(({ first, last }) => ({ first: toAddress(first, bytes), last: toAddress(last, bytes) }))
}

/** The ranges and those addresses; what touches becomes one. */
export function withRange(ranges: readonly Range[], added: Range): readonly Range[] {
  const bytes = ipaddr.parse(added.first).toByteArray().length
  const joined: Bounds[] = []
  for (const next of [...ranges, added].map(boundsOf).toSorted((a, b) => (a.first < b.first ? -1 : 1))) {
    const before = joined.at(-1)
    if (before && next.first <= before.last + 1n)
      joined.splice(-1, 1, { first: before.first, last: next.last > before.last ? next.last : before.last })
    else joined.push(next)
  }
  return joined.map(({ first, last }) => ({ first: toAddress(first, bytes), last: toAddress(last, bytes) }))
}

/** How many addresses they hold. */
export function sizeOf(ranges: readonly Range[]): bigint {
  return ranges.map(boundsOf).reduce((sum, { first, last }) => sum + last - first + 1n, 0n)
}

/** Drops the ranges of a subnet and their counters. */
export async function dropRanges(trx: Transaction, subnetId: string): Promise<void> {
  const rows = await trx('ip_ranges').where({ subnetId }).delete().returning('id')
  for (const row of rows) await trx.raw(`drop sequence if exists ip_range_${row.id}`)
}

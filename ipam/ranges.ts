import ipaddr from 'ipaddr.js'
import { Invalid } from '../core/errors.ts'
import type { Transaction } from '../db/connect.ts'
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
      throw new Invalid(`The allocation pool ${text} is not valid.`)
    const bounds = { first: toNumber(range.first), last: toNumber(range.last) }
    if (bounds.first > bounds.last) throw new Invalid(`The allocation pool ${text} ends before it begins.`)
    if (bounds.first < first || bounds.last > last) {
      throw new Invalid(`The allocation pool ${text} spans beyond the subnet cidr ${subnet.cidr}.`)
    }
    if (gateway !== null && gateway >= bounds.first && gateway <= bounds.last) {
      throw new Invalid(`Gateway ip ${String(subnet.gateway)} conflicts with allocation pool ${text}.`)
    }
    if (seen.some((other) => bounds.first <= other.last && other.first <= bounds.last)) {
      throw new Invalid(`Found overlapping allocation pools: ${text}.`)
    }
    seen.push(bounds)
  }
}

/**
 * Makes the addresses of a subnet allocatable.
 *
 * @param ranges inclusive bounds; null = all but the network, broadcast and gateway addresses
 * @throws       Invalid naming the range that does not fit
 */
export async function createRanges(
  trx: Transaction,
  subnet: Subnet,
  ranges: readonly Range[] | null,
): Promise<readonly Range[]> {
  const wanted = ranges ?? defaultRanges(subnet)
  validate(subnet, wanted)
  for (const range of wanted) {
    const [row] = await trx('ip_ranges')
      .insert({ subnetId: subnet.id, first: range.first, last: range.last })
      .returning('id')
    if (row) await trx.raw(`create sequence ip_range_${row.id} minvalue 0 start 0 cache 1`)
  }
  return wanted
}

/** Drops the ranges of a subnet and their counters. */
export async function dropRanges(trx: Transaction, subnetId: string): Promise<void> {
  const rows = await trx('ip_ranges').where({ subnetId }).delete().returning('id')
  for (const row of rows) await trx.raw(`drop sequence if exists ip_range_${row.id}`)
}

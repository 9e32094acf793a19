/** Addresses that others keep, taken over from CSV: each becomes a reservation. */
import { parse } from 'csv-parse/sync'
import ipaddr from 'ipaddr.js'
import { z } from 'zod'
import { CloudError, Invalid, messageOf } from '../core/errors.ts'
import type { Transaction } from '../db/connect.ts'
import { keepReservations, reserve } from './reserve.ts'
import { contains, type Subnet } from './subnet.ts'

/** Why a line of a CSV is not taken. */
export interface BadLine {
  /** in the file, the header being 1 */
  readonly line: number
  readonly address: string
  readonly reason: string
}

/** What became of a CSV: all of it, or nothing and the reasons. */
export interface Imported {
  readonly imported: number
  readonly bad: readonly BadLine[]
}

const records = z.array(
  z.object({
    info: z.object({ lines: z.number(), error: z.object({ message: z.string() }).nullish() }),
    record: z.object({ address: z.string(), name: z.string().default(''), note: z.string().default('') }),
  }),
)

function linesOf(csv: string): z.output<typeof records> {
  try {
    const form = { columns: true, trim: true, skip_empty_lines: true, bom: true } as const
    const rows: unknown = parse(csv, { ...form, info: true, relax_column_count: true })
    return records.parse(rows)
  } catch (error) {
    if (error instanceof z.ZodError)
      throw new Invalid("The CSV needs a header line with the column 'address', and may have 'name' and 'note'.", {
        cause: error,
      })
    throw new Invalid(`The CSV cannot be read: ${messageOf(error)}`, { cause: error })
  }
}

function subnetOf(subnets: readonly Subnet[], address: string): Subnet {
  if (!ipaddr.isValid(address)) throw new Invalid(`'${address}' is not an IP address`)
  const found = subnets.find(({ cidr }) => contains(cidr, address))
  if (!found) throw new Invalid(`'${address}' is in no subnet of this pool`)
  return found
}

/**
 * Reserves every address of the file, or, when one line is bad, none: the caller must roll back when `bad` is not empty.
 *
 * @param csv with the header address,name,note
 * @throws    Invalid when it is no such CSV at all
 */
export async function importAddresses(trx: Transaction, subnets: readonly Subnet[], csv: string): Promise<Imported> {
  const bad: BadLine[] = []
  let imported = 0
  await keepReservations(
    trx,
    subnets.map(({ id }) => id),
  )
  for (const { info, record } of linesOf(csv)) {
    const { address, name, note } = record
    try {
      if (info.error) throw new Invalid('its columns are not those of the header')
      await trx.transaction((inner) =>
        reserve(inner, subnetOf(subnets, address), { address, name: name === '' ? null : name, note }),
      )
      imported += 1
    } catch (error) {
      if (!(error instanceof CloudError)) throw error
      bad.push({ line: info.lines, address, reason: error.message })
    }
  }
  return { imported, bad }
}

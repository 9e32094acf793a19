/** Who holds an address, as the API tells it. */
import { z } from 'zod'
import type { Row } from '../table.ts'

export const holding = z.object({
  address: z.string(),
  pool: z.string(),
  state: z.string(),
  mac: z.string().nullable(),
  server_id: z.string().nullable(),
  name: z.string().nullable(),
  reserved_for: z.string().nullable(),
  note: z.string(),
  host: z.string().nullable(),
  since: z.string(),
  until: z.string().nullable(),
})
type Holding = z.output<typeof holding>

export const holdings = z.object({ addresses: z.array(holding) })
export const oneHolding = z.object({ address: holding })

export function holdingRows(found: readonly Holding[]): readonly Row[] {
  return found.map(
    ({ address, pool, state, mac, name: holder, server_id: server, reserved_for: keptFor, since, until, note }) => ({
      address,
      pool,
      state,
      name: holder,
      'reserved for': keptFor,
      mac,
      server,
      since: since.slice(0, 19),
      until: until === null ? 'now' : until.slice(0, 19),
      note,
    }),
  )
}

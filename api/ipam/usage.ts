/** How full pools are, and how fast they fill. */
import { z } from 'zod'
import { Invalid } from '../../core/errors.ts'
import { listPools, type Pool } from '../../ipam/pools.ts'
import { paceOf } from '../../ipam/usage.ts'
import type { Call, Reply } from '../route.ts'
import { poolOf } from './pools.ts'

export const usageShape = z.strictObject({
  pool: z.string(),
  subnet: z.string(),
  size: z.number(),
  used: z.number(),
  reserved: z.number(),
  quarantined: z.number(),
  free: z.number(),
  level: z.enum(['ok', 'warning', 'full']),
  days: z.number(),
  handed_out: z.number().describe('in these days'),
  given_back: z.number().describe('in these days'),
  full_in_days: z.number().nullable().describe('at the pace of these days; null = it does not fill'),
})

const mostDays = 365

async function usageOf({ db }: Call, { name, subnets }: Pool, days: number): Promise<z.output<typeof usageShape>[]> {
  return await Promise.all(
    subnets.map(async ({ id, cidr, size, used, reserved, quarantined, free, level }) => {
      const { handedOut, givenBack } = await paceOf(db, id, days)
      const perDay = (handedOut - givenBack) / days
      return {
        pool: name,
        subnet: cidr,
        size: Number(size),
        used,
        reserved,
        quarantined,
        free: Number(free),
        level,
        days,
        handed_out: handedOut,
        given_back: givenBack,
        full_in_days: perDay > 0 ? Math.floor(Number(free) / perDay) : null,
      }
    }),
  )
}

async function reply(call: Call, pools: readonly Pool[]): Promise<Reply> {
  const days = z.coerce
    .number()
    .int()
    .min(1)
    .max(mostDays)
    .safeParse(call.query.get('days') ?? '7')
  if (!days.success) throw new Invalid(`days: a whole number from 1 to ${mostDays}`)
  return {
    status: 200,
    body: { usage: (await Promise.all(pools.map((pool) => usageOf(call, pool, days.data)))).flat() },
  }
}

export async function ofAll(call: Call): Promise<Reply> {
  return await reply(call, await listPools(call.db, null))
}

export async function ofOne(call: Call): Promise<Reply> {
  return await reply(call, [await poolOf(call)])
}

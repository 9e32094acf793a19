/** berth pool usage: how full pools are, and how fast they fill. */
import type { Command } from 'commander'
import { z } from 'zod'
import { table, type Row } from '../table.ts'
import { show, type Shown, type Terminal } from '../terminal.ts'
import { path } from './path.ts'

const usage = z.object({
  pool: z.string(),
  subnet: z.string(),
  size: z.number(),
  used: z.number(),
  reserved: z.number(),
  quarantined: z.number(),
  free: z.number(),
  level: z.string(),
  days: z.number(),
  handed_out: z.number(),
  given_back: z.number(),
  full_in_days: z.number().nullable(),
})
type Usage = z.output<typeof usage>
const many = z.object({ usage: z.array(usage) })

function rowsOf(found: readonly Usage[]): readonly Row[] {
  return found.map(({ days, handed_out: out, given_back: back, full_in_days: full, level, ...counts }) => ({
    ...counts,
    level,
    [`out in ${days} d`]: out,
    [`back in ${days} d`]: back,
    'full in': full === null ? null : `${full} d`,
  }))
}

export function addUsage(command: Command, terminal: Terminal): void {
  command
    .command('usage')
    .description('how full pools are, what they handed out and got back lately, and when they are full at that pace')
    .argument('[pool]', 'name or id; none = every pool')
    .option('--days <number>', 'how far to look back', '7')
    .option('--json', 'for programs')
    .action(async (pool: string | undefined, { days, json }: Shown & { readonly days: string }) => {
      const where = pool === undefined ? '/ipam/v1/usage' : path(pool, 'usage')
      const { usage: found } = await (await terminal.client()).ask(where, { shape: many, query: { days } })
      show(terminal, json, found, () => table(rowsOf(found)))
    })
}

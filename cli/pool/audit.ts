/** berth pool audit: rows against what guests and the wire really have. */
import type { Command } from 'commander'
import { z } from 'zod'
import { counted } from '../../core/counted.ts'
import { table, type Row } from '../table.ts'
import { show, type Shown, type Terminal } from '../terminal.ts'
import { path } from './path.ts'

const drift = z.object({
  kind: z.string(),
  address: z.string().nullable(),
  port_id: z.string().nullable(),
  host: z.string().nullable(),
  text: z.string(),
  remedy: z.string(),
  mendable: z.boolean(),
  mended: z.boolean(),
})
const audit = z.object({
  pool: z.string(),
  hosts: z.array(z.string()),
  held: z.number(),
  asked: z.number(),
  drifts: z.array(drift),
})
type Audit = z.output<typeof audit>
const one = z.object({ audit })
const names = z.object({ pools: z.array(z.object({ name: z.string(), id: z.string() })) })

function rowsOf({ pool, drifts }: Audit): readonly Row[] {
  return drifts.map(({ kind, address, text, remedy, mendable, mended }) => ({
    pool,
    address,
    drift: kind,
    what: text,
    remedy: mended ? `mended: ${remedy}` : mendable ? `--repair: ${remedy}` : remedy,
  }))
}

function shown(audits: readonly Audit[]): string {
  const rows = audits.flatMap(rowsOf)
  const lines = audits.map(({ pool, hosts, held, asked, drifts }) => {
    const open = drifts.filter(({ mended }) => !mended).length
    const found = drifts.length === 0 ? 'no drift' : `${open} of ${counted(drifts.length, 'drift')} open`
    return `${pool}: ${counted(held, 'address', 'addresses')} held, the wire asked for ${asked}, seen from ${hosts.join(', ')}: ${found}\n`
  })
  return `${lines.join('')}${rows.length === 0 ? '' : `\n${table(rows)}`}`
}

interface Options extends Shown {
  readonly repair?: boolean
  readonly probe: boolean
}

export function addAudit(command: Command, terminal: Terminal): void {
  command
    .command('audit')
    .description('rows against what guests and the wire really have; ends with 1 when they differ')
    .argument('[pool]', 'name or id; none = every pool')
    .option('--repair', 'mend what can be mended without harm')
    .option('--no-probe', 'do not ask the wire who has which address')
    .option('--json', 'for programs')
    .action(async (name: string | undefined, { repair, probe, json }: Options) => {
      const client = await terminal.client()
      const pools = name === undefined ? (await client.ask(path(), { shape: names })).pools.map(({ id }) => id) : [name]
      const audits: Audit[] = []
      for (const pool of pools) {
        const query = { probe: String(probe) }
        const asked = { method: repair ? 'POST' : 'GET', query, shape: one } as const
        audits.push((await client.ask(path(pool, 'audit'), asked)).audit)
      }
      show(terminal, json, audits, () => shown(audits))
      if (audits.some(({ drifts }) => drifts.some(({ mended }) => !mended))) process.exitCode = 1
    })
}

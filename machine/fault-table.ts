/** The table of a run of the fault tests: fault, times tried, worst time to heal, lost, left. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import type { Layout } from './layout.ts'

const record = z.object({
  fault: z.string(),
  /** from the fault's end until every server was in its true state and the audit clean */
  healMs: z.number(),
  /** acknowledged requests of which nothing came */
  lost: z.number(),
  /** lines of the audit */
  left: z.number(),
})
export type FaultRecord = z.output<typeof record>

/** One record a line, written by the tests of a run. */
export function faultRecordPath({ home }: Layout): string {
  return join(home, 'faults.jsonl')
}

function read(path: string): readonly FaultRecord[] {
  if (!existsSync(path)) return []
  const lines = readFileSync(path, 'utf8').split('\n').filter(Boolean)
  return lines.map((line) => record.parse(JSON.parse(line)))
}

/** As Markdown, ready for docs/reliability.md; '' when no fault was tried. */
export function faultTable(layout: Layout): string {
  const byFault = Map.groupBy(read(faultRecordPath(layout)), ({ fault }) => fault)
  if (byFault.size === 0) return ''
  const rows = [...byFault].map(([fault, all]) => [
    fault,
    String(all.length),
    `${(Math.max(...all.map(({ healMs }) => healMs)) / 1000).toFixed(1)} s`,
    String(all.reduce((sum, { lost }) => sum + lost, 0)),
    String(all.reduce((sum, { left }) => sum + left, 0)),
  ])
  const table = [['fault', 'tried', 'worst time to heal', 'lost', 'left'], ['---', '--:', '--:', '--:', '--:'], ...rows]
  return `${table.map((row) => `| ${row.join(' | ')} |`).join('\n')}\n`
}

/** The table of a run of the fault tests: fault, times tried, worst time to heal, lost, left. */
import { existsSync, readFileSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
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

/** What the tests of one room wrote down. */
export function recordedFaults(layout: Layout): readonly FaultRecord[] {
  const path = faultRecordPath(layout)
  if (!existsSync(path)) return []
  const lines = readFileSync(path, 'utf8').split('\n').filter(Boolean)
  return lines.map((line) => record.parse(JSON.parse(line)))
}

const title = '| fault | tried | worst time to heal | lost | left |'

/** As Markdown; '' when no fault was tried. */
export function faultTable(records: readonly FaultRecord[]): string {
  const byFault = Map.groupBy(records, ({ fault }) => fault)
  if (byFault.size === 0) return ''
  const rows = [...byFault].map(([fault, all]) => [
    fault,
    String(all.length),
    `${(Math.max(...all.map(({ healMs }) => healMs)) / 1000).toFixed(1)} s`,
    String(all.reduce((sum, { lost }) => sum + lost, 0)),
    String(all.reduce((sum, { left }) => sum + left, 0)),
  ])
  return [title, '|---|--:|--:|--:|--:|', ...rows.map((row) => `| ${row.join(' | ')} |`), ''].join('\n')
}

/** The table in the text is this one; all else stays. */
export function withFaultTable(text: string, table: string): string {
  const lines = text.split('\n')
  const start = lines.indexOf(title)
  if (start < 0) return text
  const length = lines.slice(start).findIndex((line) => !line.startsWith('|'))
  return lines.toSpliced(start, length < 0 ? lines.length : length, ...table.trimEnd().split('\n')).join('\n')
}

/** Into docs/reliability.md. */
export async function writeFaultTable(table: string): Promise<void> {
  const path = fileURLToPath(new URL('../docs/reliability.md', import.meta.url))
  await writeFile(path, withFaultTable(await readFile(path, 'utf8'), table))
}

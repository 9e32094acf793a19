/** What is kept of a run that failed: the record, the logs, and every table. */
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import type { Db } from '../../../db/connect.ts'
import type { TestCloud } from '../../world/index.ts'

const tablesOf = `select schemaname || '.' || tablename as name from pg_tables where schemaname in ('public', 'graphile_worker')`

async function writeTables(db: Db, directory: string): Promise<void> {
  const { rows } = await db.raw<{ rows: { name: string }[] }>(tablesOf)
  for (const { name } of rows) {
    const found = await db.raw<{ rows: unknown[] }>(`select * from ${name}`)
    writeFileSync(join(directory, `${name}.json`), JSON.stringify(found.rows, null, 1))
  }
}

/** @returns where it all is */
export async function keep({ site }: TestCloud, db: Db, kept: { seed: number; record: string }): Promise<string> {
  const directory = `/tmp/berth-chaos-${kept.seed}`
  rmSync(directory, { recursive: true, force: true })
  mkdirSync(join(directory, 'database'), { recursive: true })
  cpSync(kept.record, join(directory, 'record.jsonl'))
  cpSync(site.layout.log, join(directory, 'log'), { recursive: true })
  const processes = await execa('ps', ['-eo', 'pid,ppid,stat,etimes,args'], { reject: false, timeout: 10_000 })
  writeFileSync(join(directory, 'processes.txt'), processes.stdout)
  await writeTables(db, join(directory, 'database'))
  return directory
}

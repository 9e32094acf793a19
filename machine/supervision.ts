/** The supervisor of a home: started once, asked what it keeps. */
import { spawn } from 'node:child_process'
import { openSync } from 'node:fs'
import { join } from 'node:path'
import { Forbidden } from '../core/errors.ts'
import type { Site } from './parts/part.ts'
import { ask } from './supervisor-protocol.ts'
import { until } from './until.ts'

/** Names of the parts that the supervisor keeps, with their pids; null when there is no supervisor. @throws Forbidden when it is another user's */
export async function keptParts(site: Site): Promise<ReadonlyMap<string, number> | null> {
  try {
    const parts = await ask(site.layout.supervisorSocket, { op: 'status' })
    return new Map(parts.flatMap(({ name, pid }) => (pid === null ? [] : [[name, pid] as const])))
  } catch (error) {
    if (error instanceof Forbidden) throw error
    // Nobody answers: there is none.
    return null
  }
}

/** One supervisor per home; a running one is left. */
export async function startSupervisor(site: Site): Promise<void> {
  if (await keptParts(site)) return
  const path = join(site.layout.log, 'supervisor.log')
  const log = openSync(path, 'a')
  const words = [
    '--disable-warning=ExperimentalWarning',
    join(site.layout.project, 'machine', 'supervisor.ts'),
    site.layout.home,
  ]
  spawn(process.execPath, words, { detached: true, stdio: ['ignore', log, log], cwd: '/' }).unref()
  await until(`the supervisor (log: ${path})`, 10_000, () => keptParts(site))
}

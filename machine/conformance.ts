/** OpenStack's own judges on a cloud of their own, in a room: see test/conformance/. */
import { existsSync } from 'node:fs'
import { cp, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { Unsupported } from '../core/errors.ts'
import { conformancePackages, installPackages } from './packages.ts'
import type { Site } from './parts/part.ts'
import { step } from './progress.ts'
import { runInRoom } from './room.ts'
import { makeTestHome, removeAbandonedHomes, removeTestHome } from './test-homes.ts'
import { bringTestImages } from './test-images.ts'

const countsSchema = z.strictObject({ passed: z.number(), failed: z.number(), skipped: z.number() })
export type Counts = z.output<typeof countsSchema>

export interface Wanted {
  /** 'whole', 'smoke', 'clients', or a regular expression of names of Tempest's tests */
  readonly part: string
  /** how many hosts the cloud has */
  readonly hosts: number
  /** directory that the logs of the run are copied to */
  readonly logs?: string | undefined
}

/** The part that goes with every run of the suite may not hold it up. */
const smokeMs = 15 * 60_000

/** A run without counts has not come to a judgement: it counts as one failure. */
async function countsOf({ layout }: Site): Promise<Counts> {
  const path = join(layout.home, 'conformance.json')
  return existsSync(path)
    ? countsSchema.parse(JSON.parse(await readFile(path, 'utf8')))
    : { passed: 0, failed: 1, skipped: 0 }
}

/** Runs both judges. */
export async function judge({ part, hosts, logs }: Wanted): Promise<Counts> {
  await removeAbandonedHomes()
  const site = await makeTestHome()
  const { layout } = site
  try {
    await step('packages', () => installPackages(layout.log, conformancePackages))
    await step('guest images', () => bringTestImages(site))
    const main = join(layout.project, 'test', 'conformance', 'main.ts')
    const command = [process.execPath, '--disable-warning=ExperimentalWarning', main, String(hosts), part]
    const started = performance.now()
    const watch = (kill: () => void): void => {
      if (part === 'smoke' && performance.now() - started > smokeMs) kill()
    }
    await runInRoom(site, command, { watch })
    return await countsOf(site)
  } finally {
    if (logs !== undefined)
      for (const directory of [layout.log, join(layout.home, 'tempest')])
        if (existsSync(directory)) await cp(directory, logs, { recursive: true })
    await removeTestHome(site)
  }
}

/**
 * Runs both judges and prints `N passed, N failed, N skipped` as the last line.
 *
 * @returns the exit code
 */
export async function conformance(wanted: Wanted): Promise<number> {
  if (process.getuid?.() !== 0) throw new Unsupported('the tests run real guests and networks: run as root')
  const { passed, failed, skipped } = await judge(wanted)
  process.stdout.write(`\n${passed} passed, ${failed} failed, ${skipped} skipped\n`)
  return failed === 0 && passed > 0 ? 0 : 1
}

/** The test suite, in namespaces and a home of its own: the user's cloud is neither seen nor touched, and a kill leaves nothing. */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { Unsupported } from '../core/errors.ts'
import { faultTable } from './fault-table.ts'
import { installPackages, testPackages } from './packages.ts'
import type { Site } from './parts/part.ts'
import { step } from './progress.ts'
import { runInRoom } from './room.ts'
import { bringTestImages } from './test-images.ts'
import { makeTestHome, removeAbandonedHomes, removeTestHome } from './test-homes.ts'

/** Jest ends by itself when all is closed; what still runs this long after the last result was left open by a test. */
const lingerMs = 15_000

const results = z.object({
  numPassedTests: z.number(),
  numFailedTests: z.number(),
  numPendingTests: z.number(),
  numTodoTests: z.number(),
  /** files that did not run at all */
  numRuntimeErrorTestSuites: z.number(),
})

/**
 * Some words stand for more than paths: 'faults' tries every fault, 'faults/parts' every fault of that file, 'chaos' a random run
 * of them.
 */
export interface TestWords {
  readonly paths: readonly string[]
  /** of the random run; printed by it when not given */
  readonly seed?: string
  /** length of the random run */
  readonly minutes?: string
}

/** What the tests in test/faults/ read of it. */
function environmentOf({ paths, seed, minutes }: TestWords, { layout }: Site): Record<string, string> {
  return {
    BERTH_FAILPOINT_DIRECTORY: join(layout.home, 'tmp', 'failpoints'),
    ...(paths.some((word) => /^faults(\/|$)/.test(word)) ? { BERTH_TEST_FAULTS: 'full' } : {}),
    ...(seed === undefined ? {} : { BERTH_TEST_SEED: seed }),
    ...(minutes === undefined ? {} : { BERTH_TEST_MINUTES: minutes }),
  }
}

function pathOf(word: string): string {
  if (/^faults(\/|$)/.test(word)) return `test/${word}`
  if (word === 'chaos') return 'test/faults/chaos'
  return existsSync(word) ? resolve(word) : word
}

function resultsPath({ layout }: Site): string {
  return join(layout.home, 'results.json')
}

function jestCommand(site: Site, { paths }: TestWords): readonly string[] {
  const { project } = site.layout
  return [
    process.execPath,
    '--experimental-vm-modules',
    '--disable-warning=ExperimentalWarning',
    join(project, 'node_modules', 'jest', 'bin', 'jest.js'),
    '--runInBand',
    '--json',
    `--outputFile=${resultsPath(site)}`,
    `--cacheDirectory=${join(project, 'node_modules', '.cache', 'jest')}`,
    ...paths.map(pathOf),
  ]
}

/** @returns whether jest ended well, by itself */
async function runJest(site: Site, words: TestWords): Promise<boolean> {
  let finishedAt: number | null = null
  let isTold = false
  const watch = (kill: () => void): void => {
    if (existsSync(resultsPath(site))) finishedAt ??= performance.now()
    if (finishedAt === null || isTold || performance.now() - finishedAt < lingerMs) return
    isTold = true
    process.stdout.write('\nA test left something open: jest did not end after the last test.\n')
    kill()
  }
  return await runInRoom(site, jestCommand(site, words), { env: environmentOf(words, site), watch })
}

/** The last line that `test` prints. */
async function summary(site: Site, isGood: boolean): Promise<{ readonly line: string; readonly isGood: boolean }> {
  if (!existsSync(resultsPath(site))) return { line: '0 passed, 1 failed', isGood: false }
  const found = results.parse(JSON.parse(await readFile(resultsPath(site), 'utf8')))
  const failed = found.numFailedTests + found.numRuntimeErrorTestSuites
  const skipped = found.numPendingTests + found.numTodoTests
  // A run that jest itself calls bad has failed, even when each test passed: something was left open or behind.
  const shown = failed === 0 && !isGood ? 1 : failed
  const line = `${found.numPassedTests} passed, ${shown} failed${skipped === 0 ? '' : `, ${skipped} skipped`}`
  return { line, isGood: shown === 0 }
}

/** What needs the network or is slow, before the door closes. */
async function prepare(site: Site): Promise<void> {
  await step('packages', () => installPackages(site.layout.log, testPackages))
  await step('guest images', () => bringTestImages(site))
}

/**
 * Runs the tests and prints `N passed, N failed[, N skipped]` as the last line.
 *
 * @param words files, folders or patterns of tests, none = all; or 'faults', or 'chaos'
 * @returns     the exit code
 */
export async function test(words: TestWords): Promise<number> {
  if (process.getuid?.() !== 0) throw new Unsupported('the tests run real guests and networks: run as root')
  await removeAbandonedHomes()
  const site = await makeTestHome()
  try {
    await prepare(site)
    const { line, isGood } = await summary(site, await runJest(site, words))
    process.stdout.write(`\n${faultTable(site.layout)}\n${line}\n`)
    return isGood ? 0 : 1
  } finally {
    await removeTestHome(site)
  }
}

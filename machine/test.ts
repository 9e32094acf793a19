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

/** The whole suite waits more than it works: that many rooms go through it side by side, each through its share of the files. */
const roomsOfAll = 2

interface Share {
  readonly site: Site
  /** such as '1/2'; null = all that the words name */
  readonly shard: string | null
}

function jestCommand({ site, shard }: Share, { paths }: TestWords): readonly string[] {
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
    ...(shard === null ? [] : [`--shard=${shard}`]),
    ...paths.map(pathOf),
  ]
}

/** @returns whether jest ended well, by itself */
async function runJest(share: Share, words: TestWords): Promise<boolean> {
  const { site } = share
  let finishedAt: number | null = null
  let isTold = false
  const watch = (kill: () => void): void => {
    if (existsSync(resultsPath(site))) finishedAt ??= performance.now()
    if (finishedAt === null || isTold || performance.now() - finishedAt < lingerMs) return
    isTold = true
    process.stdout.write('\nA test left something open: jest did not end after the last test.\n')
    kill()
  }
  return await runInRoom(site, jestCommand(share, words), { env: environmentOf(words, site), watch })
}

interface Counts {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

async function countsOf(site: Site, isGood: boolean): Promise<Counts> {
  if (!existsSync(resultsPath(site))) return { passed: 0, failed: 1, skipped: 0 }
  const found = results.parse(JSON.parse(await readFile(resultsPath(site), 'utf8')))
  const failed = found.numFailedTests + found.numRuntimeErrorTestSuites
  // A run that jest itself calls bad has failed, even when each test passed: something was left open or behind.
  return {
    passed: found.numPassedTests,
    failed: failed === 0 && !isGood ? 1 : failed,
    skipped: found.numPendingTests + found.numTodoTests,
  }
}

/** The last line that `test` prints. */
function summary(all: readonly Counts[]): { readonly line: string; readonly isGood: boolean } {
  const sum = (of: (counts: Counts) => number): number => all.reduce((total, one) => total + of(one), 0)
  const [failed, skipped] = [sum((one) => one.failed), sum((one) => one.skipped)]
  const line = `${sum((one) => one.passed)} passed, ${failed} failed${skipped === 0 ? '' : `, ${skipped} skipped`}`
  return { line, isGood: failed === 0 }
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
  const count = words.paths.length === 0 ? roomsOfAll : 1
  const shares: Share[] = []
  try {
    for (let index = 1; index <= count; index += 1)
      shares.push({ site: await makeTestHome(), shard: count === 1 ? null : `${index}/${count}` })
    for (const { site } of shares) await prepare(site)
    const all = await Promise.all(shares.map(async (share) => countsOf(share.site, await runJest(share, words))))
    const { line, isGood } = summary(all)
    for (const { site } of shares) process.stdout.write(`\n${faultTable(site.layout)}`)
    process.stdout.write(`\n${line}\n`)
    return isGood ? 0 : 1
  } finally {
    for (const { site } of shares) await removeTestHome(site)
  }
}

/** The test suite, in namespaces and a home of its own: the user's cloud is neither seen nor touched, and a kill leaves nothing. */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { messageOf, Unsupported } from '../core/errors.ts'
import { judge, type Counts } from './conformance.ts'
import { faultTable, recordedFaults, writeFaultTable, type FaultRecord } from './fault-table.ts'
import { installPackages, testPackages } from './packages.ts'
import type { Site } from './parts/part.ts'
import { step } from './progress.ts'
import { runInRoom } from './room.ts'
import { bringTestImages } from './test-images.ts'
import { makeTestHome, removeAbandonedHomes, removeTestHome } from './test-homes.ts'
import { isEveryFault, roundsOf, type Round, type Share } from './test-rounds.ts'

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
  readonly seed?: number
  /** length of the random run */
  readonly minutes?: number
  /** back and forth between two hosts */
  readonly moves?: number
}

/** What the tests in test/faults/ read of it. */
function environmentOf({ paths, seed, minutes, moves }: TestWords, { layout }: Site): Record<string, string> {
  return {
    BERTH_FAILPOINT_DIRECTORY: join(layout.home, 'tmp', 'failpoints'),
    ...(paths.some((word) => /^faults(\/|$)/.test(word)) ? { BERTH_TEST_FAULTS: 'full' } : {}),
    ...(seed === undefined ? {} : { BERTH_TEST_SEED: String(seed) }),
    ...(minutes === undefined ? {} : { BERTH_TEST_MINUTES: String(minutes) }),
    ...(moves === undefined ? {} : { BERTH_TEST_MOVES: String(moves) }),
  }
}

function resultsPath({ layout }: Site): string {
  return join(layout.home, 'results.json')
}

function jestCommand(site: Site, { paths, but, shard }: Share): readonly string[] {
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
    // The last word of an option that takes many would take the paths too.
    ...paths,
    ...but.map((path) => `--testPathIgnorePatterns=${path}`),
  ]
}

/** @returns whether jest ended well, by itself */
async function runJest(site: Site, share: Share, env: Readonly<Record<string, string>>): Promise<boolean> {
  let finishedAt: number | null = null
  let isTold = false
  const watch = (kill: () => void): void => {
    if (existsSync(resultsPath(site))) finishedAt ??= performance.now()
    if (finishedAt === null || isTold || performance.now() - finishedAt < lingerMs) return
    isTold = true
    process.stdout.write('\nA test left something open: jest did not end after the last test.\n')
    kill()
  }
  return await runInRoom(site, jestCommand(site, share), { env, watch })
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

interface Outcome {
  readonly counts: Counts
  readonly faults: readonly FaultRecord[]
}

async function runShare(share: Share, { site, words }: { site: Site; words: TestWords }): Promise<Outcome> {
  const counts = await countsOf(site, await runJest(site, share, environmentOf(words, site)))
  return { counts, faults: recordedFaults(site.layout) }
}

/**
 * What Tempest calls its smoke test, and all that is done to a server, in a room beside the others: its packages are brought while
 * those work already.
 */
async function judgeSmoke(): Promise<Outcome> {
  try {
    return { counts: await judge({ part: 'smoke', hosts: 1 }), faults: [] }
  } catch (error) {
    process.stdout.write(`\nTempest did not run: ${messageOf(error)}\n`)
    return { counts: { passed: 0, failed: 1, skipped: 0 }, faults: [] }
  }
}

async function runRound(round: Round, words: TestWords): Promise<readonly Outcome[]> {
  const rooms: { readonly site: Site; readonly share: Share }[] = []
  try {
    for (const share of round) rooms.push({ site: await makeTestHome(), share })
    for (const { site } of rooms) await prepare(site)
    const judging = words.paths.length === 0 ? [judgeSmoke()] : []
    return await Promise.all([...rooms.map(({ site, share }) => runShare(share, { site, words })), ...judging])
  } finally {
    for (const { site } of rooms) await removeTestHome(site)
  }
}

/**
 * Runs the tests and prints `N passed, N failed[, N skipped]` as the last line. A run of every fault in which all is well also
 * writes its table into docs/reliability.md.
 *
 * @returns the exit code
 */
export async function test(words: TestWords): Promise<number> {
  if (process.getuid?.() !== 0) throw new Unsupported('the tests run real guests and networks: run as root')
  await removeAbandonedHomes()
  const outcomes: Outcome[] = []
  const ending = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ending.abort())
  for (const round of roundsOf(words.paths))
    if (!ending.signal.aborted) outcomes.push(...(await runRound(round, words)))
  const { line, isGood } = summary(outcomes.map(({ counts }) => counts))
  const table = faultTable(outcomes.flatMap(({ faults }) => faults))
  if (isGood && isEveryFault(words.paths)) await writeFaultTable(table)
  process.stdout.write(`\n${table}\n${line}\n`)
  return isGood ? 0 : 1
}

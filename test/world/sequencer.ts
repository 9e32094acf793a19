/** The order in which files are tested, and their even shares: the longest first, each to whoever has least to do so far. */
import { relative } from 'node:path'

interface TestFile {
  readonly path: string
  readonly context: { readonly config: { readonly rootDir: string } }
}

/** Seconds on a quiet machine of two cores, where it is more than a few; of a run with little time, and of one that tries every fault. */
const seconds: Readonly<Record<string, { readonly usual: number; readonly full: number }>> = {
  'test/faults/chaos.test.ts': { usual: 340, full: 340 },
  'test/journeys/server.test.ts': { usual: 220, full: 220 },
  'test/journeys/actions.test.ts': { usual: 130, full: 130 },
  'test/journeys/hosts.test.ts': { usual: 90, full: 200 },
  'test/journeys/images.test.ts': { usual: 70, full: 70 },
  'test/faults/density.test.ts': { usual: 70, full: 900 },
  'test/journeys/image-care.test.ts': { usual: 60, full: 60 },
  'test/journeys/interfaces.test.ts': { usual: 63, full: 63 },
  'test/faults/full.test.ts': { usual: 55, full: 300 },
  'test/faults/parts.test.ts': { usual: 50, full: 1000 },
  'test/faults/disks.test.ts': { usual: 50, full: 120 },
  'test/faults/machine.test.ts': { usual: 40, full: 90 },
  'test/faults/clocks.test.ts': { usual: 40, full: 200 },
  'test/netns/flows/groups.test.ts': { usual: 38, full: 38 },
  'test/faults/failpoints.test.ts': { usual: 35, full: 530 },
  'test/faults/hostile.test.ts': { usual: 30, full: 300 },
  'test/ipam/crowd.test.ts': { usual: 35, full: 35 },
  'test/faults/host-limits.test.ts': { usual: 60, full: 60 },
  'test/audit/audit.test.ts': { usual: 60, full: 60 },
  'test/audit/host.test.ts': { usual: 60, full: 60 },
  'test/faults/addresses.test.ts': { usual: 24, full: 24 },
  'test/scheduler/processes.test.ts': { usual: 25, full: 25 },
  'test/driver/docker/driver.test.ts': { usual: 20, full: 20 },
  'test/agent/images.test.ts': { usual: 30, full: 30 },
  'test/faults/delivery.test.ts': { usual: 20, full: 20 },
}
const fewSeconds = 3

const isFull = process.env.BERTH_TEST_FAULTS === 'full'

function secondsOf({ path, context }: TestFile): number {
  const known = seconds[relative(context.config.rootDir, path)]
  return (isFull ? known?.full : known?.usual) ?? fewSeconds
}

/** What jest asks which tests to run, and in which order. Source: jestjs.io, "Configuring Jest", testSequencer */
export default class Sequencer {
  sort(tests: readonly TestFile[]): readonly TestFile[] {
    return tests.toSorted((a, b) => secondsOf(b) - secondsOf(a) || a.path.localeCompare(b.path))
  }

  shard(
    tests: readonly TestFile[],
    { shardIndex, shardCount }: { readonly shardIndex: number; readonly shardCount: number },
  ): readonly TestFile[] {
    const shares = Array.from({ length: shardCount }, (): { files: TestFile[]; sum: number } => ({ files: [], sum: 0 }))
    for (const test of this.sort(tests)) {
      const least = shares.reduce((best, share) => (share.sum < best.sum ? share : best))
      least.files.push(test)
      least.sum += secondsOf(test)
    }
    return shares[shardIndex - 1]?.files ?? []
  }

  /** jest's own would remember how long each took: shares must be the same in rooms that do not know of each other. */
  cacheResults(): void {
    return undefined
  }
}

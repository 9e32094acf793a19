/** The order in which files are tested, and their even shares: the longest first, each to whoever has least to do so far. */
import { relative } from 'node:path'

interface TestFile {
  readonly path: string
  readonly context: { readonly config: { readonly rootDir: string } }
}

/** Seconds on a quiet machine of two cores, where it is more than a few; of a run with little time, and of one that tries every fault. */
const seconds: Readonly<Record<string, { readonly usual: number; readonly full: number }>> = {
  'test/faults/chaos.test.ts': { usual: 375, full: 375 },
  'test/journeys/hosts.test.ts': { usual: 330, full: 600 },
  'test/journeys/server.test.ts': { usual: 300, full: 300 },
  'test/journeys/actions.test.ts': { usual: 180, full: 180 },
  'test/api/cli.test.ts': { usual: 150, full: 150 },
  'test/journeys/interfaces.test.ts': { usual: 120, full: 120 },
  'test/journeys/pools.test.ts': { usual: 112, full: 112 },
  'test/faults/full.test.ts': { usual: 98, full: 300 },
  'test/journeys/images.test.ts': { usual: 83, full: 83 },
  'test/driver/docker/contract.test.ts': { usual: 80, full: 80 },
  'test/netns/flows/groups.test.ts': { usual: 75, full: 75 },
  'test/driver/docker/guest.test.ts': { usual: 65, full: 65 },
  'test/faults/failpoints.test.ts': { usual: 62, full: 530 },
  'test/audit/audit.test.ts': { usual: 56, full: 56 },
  'test/faults/disks.test.ts': { usual: 56, full: 120 },
  'test/faults/parts.test.ts': { usual: 55, full: 1000 },
  'test/journeys/image-care.test.ts': { usual: 50, full: 50 },
  'test/faults/density.test.ts': { usual: 45, full: 900 },
  'test/faults/clocks.test.ts': { usual: 42, full: 200 },
  'test/netns/vifs/ovs.test.ts': { usual: 38, full: 38 },
  'test/audit/host.test.ts': { usual: 36, full: 36 },
  'test/api/keystone.test.ts': { usual: 33, full: 33 },
  'test/faults/machine.test.ts': { usual: 32, full: 90 },
  'test/faults/addresses.test.ts': { usual: 32, full: 32 },
  'test/ipam/crowd.test.ts': { usual: 32, full: 32 },
  'test/faults/delivery.test.ts': { usual: 30, full: 30 },
  'test/faults/hostile.test.ts': { usual: 29, full: 300 },
  'test/faults/host-limits.test.ts': { usual: 28, full: 28 },
  'test/netns/metadata.test.ts': { usual: 28, full: 28 },
  'test/netns/gateway.test.ts': { usual: 25, full: 25 },
  'test/driver/docker/driver.test.ts': { usual: 22, full: 22 },
  'test/cli/pool.test.ts': { usual: 19, full: 19 },
  'test/agent/images.test.ts': { usual: 17, full: 17 },
  'test/driver/docker/layer-disk.test.ts': { usual: 16, full: 16 },
  'test/api/contracts/compute/servers.test.ts': { usual: 14, full: 14 },
  'test/machine/leftovers.test.ts': { usual: 14, full: 14 },
  'test/scheduler/processes.test.ts': { usual: 13, full: 13 },
  'test/journeys/join.test.ts': { usual: 12, full: 150 },
  'test/api/image/file.test.ts': { usual: 12, full: 12 },
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

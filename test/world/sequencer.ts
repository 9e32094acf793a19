/** The order in which files are tested, and their even shares: the longest first, each to whoever has least to do so far. */
import { relative } from 'node:path'

interface TestFile {
  readonly path: string
  readonly context: { readonly config: { readonly rootDir: string } }
}

/** Seconds on a quiet machine of two cores, where it is more than a few; of a run with little time, and of one that tries every fault. */
const seconds: Readonly<Record<string, { readonly usual: number; readonly full: number }>> = {
  'test/journeys/hosts.test.ts': { usual: 470, full: 1500 },
  'test/faults/moves/back-and-forth.test.ts': { usual: 0, full: 800 },
  'test/faults/moves/broken-off.test.ts': { usual: 0, full: 600 },
  'test/faults/moves/full-disk.test.ts': { usual: 0, full: 180 },
  'test/faults/moves/healing.test.ts': { usual: 0, full: 125 },
  'test/faults/chaos.test.ts': { usual: 380, full: 380 },
  'test/journeys/server.test.ts': { usual: 217, full: 217 },
  'test/journeys/actions.test.ts': { usual: 206, full: 206 },
  'test/journeys/interfaces.test.ts': { usual: 130, full: 130 },
  'test/api/cli.test.ts': { usual: 112, full: 112 },
  'test/journeys/images.test.ts': { usual: 103, full: 103 },
  'test/driver/docker/guest.test.ts': { usual: 101, full: 101 },
  'test/faults/full.test.ts': { usual: 98, full: 300 },
  'test/faults/failpoints.test.ts': { usual: 92, full: 530 },
  'test/faults/disks.test.ts': { usual: 84, full: 120 },
  'test/faults/hostile.test.ts': { usual: 81, full: 300 },
  'test/faults/parts.test.ts': { usual: 75, full: 1000 },
  'test/driver/docker/contract.test.ts': { usual: 70, full: 70 },
  'test/netns/flows/groups.test.ts': { usual: 69, full: 69 },
  'test/faults/clocks.test.ts': { usual: 69, full: 200 },
  'test/audit/host.test.ts': { usual: 61, full: 61 },
  'test/journeys/bridges.test.ts': { usual: 59, full: 59 },
  'test/journeys/pools.test.ts': { usual: 72, full: 72 },
  'test/audit/audit.test.ts': { usual: 56, full: 56 },
  'test/faults/machine.test.ts': { usual: 55, full: 90 },
  'test/faults/host-limits.test.ts': { usual: 55, full: 55 },
  'test/journeys/image-care.test.ts': { usual: 52, full: 52 },
  'test/cli/pool.test.ts': { usual: 49, full: 49 },
  'test/faults/density.test.ts': { usual: 45, full: 900 },
  'test/machine/leftovers.test.ts': { usual: 37, full: 37 },
  'test/netns/limits.test.ts': { usual: 31, full: 31 },
  'test/ipam/crowd.test.ts': { usual: 28, full: 28 },
  'test/faults/delivery.test.ts': { usual: 27, full: 27 },
  'test/faults/addresses.test.ts': { usual: 26, full: 26 },
  'test/netns/metadata.test.ts': { usual: 26, full: 26 },
  'test/netns/vifs/bridge.test.ts': { usual: 23, full: 23 },
  'test/agent/images.test.ts': { usual: 12, full: 12 },
  'test/driver/docker/limits.test.ts': { usual: 20, full: 20 },
  'test/netns/many-ports.test.ts': { usual: 20, full: 20 },
  'test/netns/vifs/ovs.test.ts': { usual: 17, full: 17 },
  'test/netns/gateway.test.ts': { usual: 17, full: 17 },
  'test/api/contracts/compute/servers.test.ts': { usual: 15, full: 15 },
  'test/journeys/join.test.ts': { usual: 15, full: 150 },
  'test/api/contracts/compute/actions.test.ts': { usual: 15, full: 15 },
  'test/api/keystone.test.ts': { usual: 13, full: 13 },
  'test/api/compute/actions/resize.test.ts': { usual: 13, full: 13 },
  'test/driver/docker/layer-disk.test.ts': { usual: 12, full: 12 },
  'test/scheduler/processes.test.ts': { usual: 11, full: 11 },
  'test/api/contracts/compute/hosts.test.ts': { usual: 11, full: 11 },
  'test/machine/supervisor.test.ts': { usual: 11, full: 11 },
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

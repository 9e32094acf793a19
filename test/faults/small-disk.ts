/** A part on a disk so small that a test can fill it: a file system in memory, seen in the namespaces of the test run alone. */
import { mkdir, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { ask } from '../../machine/supervisor-protocol.ts'
import { until, type TestCloud } from '../world/index.ts'
import { pidOf, specOf } from './services.ts'

async function run(command: string, ...words: readonly string[]): Promise<void> {
  await execa(command, words, { timeout: 120_000 })
}

export interface SmallDisk {
  readonly path: string
  /** Leaves so many bytes, and none for others while it stands. */
  fill(leaveMiB: number): Promise<void>
  /** What `fill` took is free again. */
  free(): Promise<void>
  /** The file system takes no more files than there are. */
  forbidFiles(): Promise<void>
  allowFiles(): Promise<void>
  /** The part stands on its own disk again, with what it wrote meanwhile. */
  remove(): Promise<void>
}

/** Stops parts, does something, and starts them again in the other order. */
async function without(cloud: TestCloud, parts: readonly string[], work: () => Promise<void>): Promise<void> {
  const specs = await Promise.all(parts.map((name) => specOf(cloud, name)))
  const { supervisorSocket } = cloud.site.layout
  for (const { name } of specs) await ask(supervisorSocket, { op: 'stop', name })
  await work()
  for (const part of specs.toReversed()) {
    await ask(supervisorSocket, { op: 'start', part })
    await until(() => pidOf(cloud, part.name), { timeoutMs: 30_000, what: part.name })
  }
}

/**
 * @param directory of the part; its content comes along
 * @param parts     that have it open, those that others need last
 */
export async function smallDisk(
  cloud: TestCloud,
  { directory, parts, sizeMiB }: { readonly directory: string; readonly parts: readonly string[]; sizeMiB: number },
): Promise<SmallDisk> {
  const small = `${directory}.small`
  const ballast = join(small, 'ballast')
  await without(cloud, parts, async () => {
    await mkdir(small)
    await run('mount', '-t', 'tmpfs', '-o', `size=${sizeMiB}m,mode=755`, 'small', small)
    await run('cp', '-a', `${directory}/.`, small)
    await run('mount', '--bind', small, directory)
  })
  return {
    path: directory,
    fill: async (leaveMiB) => {
      const { bavail, bsize } = await statfs(small)
      const bytes = Math.max(0, bavail * bsize - leaveMiB * 1024 * 1024)
      await run('fallocate', '--length', String(bytes), ballast)
    },
    free: () => run('rm', '-f', ballast),
    forbidFiles: async () => {
      const { files, ffree } = await statfs(small)
      await run('mount', '-o', `remount,nr_inodes=${files - ffree}`, small)
    },
    allowFiles: () => run('mount', '-o', 'remount,nr_inodes=1000000', small),
    remove: () =>
      without(cloud, parts, async () => {
        await run('umount', '--lazy', directory)
        await run('rm', '-rf', ballast)
        await run('rsync', '-a', '--delete', `${small}/`, directory).catch(() =>
          run('cp', '-a', `${small}/.`, directory),
        )
        await run('umount', '--lazy', small)
        await run('rmdir', small)
      }),
  }
}

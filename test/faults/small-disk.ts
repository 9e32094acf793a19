/** A part on a disk so small that a test can fill it: a file with a file system, seen in the namespaces of the test run alone. */
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
  /** Takes all the room that there is. */
  fill(): Promise<void>
  /** What `fill` took is free again. */
  free(): Promise<void>
  /** The file system takes no more files than there are. */
  forbidFiles(): Promise<void>
  allowFiles(): Promise<void>
  /** The part stands on its own disk again, with what it wrote meanwhile. */
  remove(): Promise<void>
}

/** Two guest images, and some guests, have a quarter of it. */
const mostFiles = 300_000

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

/** What is mounted at the directory and below it, above and beneath the small disk: a part that was killed leaves mounts of its own. */
async function unmountAll(directory: string): Promise<void> {
  const { stdout } = await execa('findmnt', ['--raw', '--noheadings', '--output', 'TARGET'], { timeout: 30_000 })
  const targets = stdout.split('\n').filter((target) => `${target}/`.startsWith(`${directory}/`))
  for (const target of targets.toReversed())
    await execa('umount', ['--lazy', target], { reject: false, timeout: 30_000 })
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
  const [image, ballast, crumbs] = [`${directory}.image`, join(small, 'ballast'), join(small, 'crumbs')]
  await without(cloud, parts, async () => {
    await mkdir(small)
    await run('truncate', '--size', `${sizeMiB}M`, image)
    await run('mkfs.ext4', '-q', '-m', '0', '-N', String(mostFiles), image)
    // The device of the file goes when the last mount of it does, at the latest with the test run.
    await run('mount', '-o', 'loop', image, small)
    await run('cp', '-a', `${directory}/.`, small)
    await run('mount', '--bind', small, directory)
  })
  return {
    path: directory,
    fill: async () => {
      // It ends by the want of room.
      await execa('dd', ['if=/dev/zero', `of=${ballast}`, 'bs=64k'], { reject: false, timeout: 120_000 })
      await execa('dd', ['if=/dev/zero', `of=${ballast}`, 'bs=512', 'oflag=append', 'conv=notrunc'], {
        reject: false,
        timeout: 120_000,
      })
    },
    free: () => run('rm', '-f', ballast),
    forbidFiles: async () => {
      const { ffree } = await statfs(small)
      await mkdir(crumbs)
      await run('sh', '-c', `cd "$1" && seq ${ffree - 100} | xargs -n 2000 touch`, 'sh', crumbs)
    },
    allowFiles: () => run('rm', '-rf', crumbs),
    remove: () =>
      without(cloud, parts, async () => {
        await unmountAll(directory)
        await run('rm', '-rf', ballast, crumbs, join(small, 'lost+found'), directory)
        await mkdir(directory)
        await run('cp', '-a', `${small}/.`, directory)
        await run('umount', small)
        await run('rm', '-rf', image, small)
      }),
  }
}

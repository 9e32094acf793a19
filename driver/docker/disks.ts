/** The disks that a guest sees, and no others: `vda` with its root, and `vdb` when it has an ephemeral disk, mounted at /mnt. */
import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rm, stat, statfs, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { hasCode } from '../../core/errors.ts'
import type { GuestDisks } from '../driver.ts'
import { blockPlaces, writeBlockTree, type BlockDevice } from './block-tree.ts'
import { ephemeralFile, ephemeralRoot, growEphemeral, makeEphemeral, mountEphemeral } from './ephemeral.ts'
import type { Mounts } from './lxcfs.ts'
import { unmount } from './mount.ts'

/** on a guest: the directory of its disks, which live and go with its container */
export const disksLabel = 'berth.disks'

const gib = 1024 ** 3
/** A directory without a container this long after it was made lost it to a kill. */
const ownerlessMs = 10 * 60_000
const sizesSchema = z.object({ rootGiB: z.number(), ephemeralGiB: z.number() })

/** @param ociDirectory of the engine's runtime, beside which the disks stand */
function disksHome(ociDirectory: string): string {
  return join(dirname(ociDirectory), 'disks')
}

function sizesPath(directory: string): string {
  return join(directory, 'sizes.json')
}

async function sizesOf(directory: string): Promise<GuestDisks> {
  return sizesSchema.parse(JSON.parse(await readFile(sizesPath(directory), 'utf8')))
}

async function deviceOf(path: string): Promise<number | null> {
  try {
    return (await stat(path)).dev
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ESRCH')) return null
    throw error
  }
}

/** @returns null where nothing is. Source: gnu_dev_major(3) */
async function numberOf(path: string): Promise<Pick<BlockDevice, 'major' | 'minor'> | null> {
  const dev = await deviceOf(path)
  if (dev === null) return null
  return { major: Math.floor(dev / 2 ** 8) % 2 ** 12, minor: (dev % 2 ** 8) + Math.floor(dev / 2 ** 20) * 2 ** 8 }
}

/** A root without a size of its own has that of the file system it is on. */
async function rootBytes(directory: string): Promise<number> {
  const { rootGiB } = await sizesOf(directory)
  if (rootGiB > 0) return rootGiB * gib
  const { blocks, bsize } = await statfs(directory)
  return blocks * bsize
}

/** @returns a directory of their own; @throws Unavailable, with nothing left behind */
export async function makeDisks(ociDirectory: string, sizes: GuestDisks, rootUid: number): Promise<string> {
  const directory = join(disksHome(ociDirectory), randomUUID())
  await mkdir(directory, { recursive: true, mode: 0o700 })
  try {
    await writeFile(sizesPath(directory), JSON.stringify(sizes))
    await writeBlockTree(join(directory, 'sys'), [])
    if (sizes.ephemeralGiB > 0) await makeEphemeral(directory, sizes.ephemeralGiB * gib, rootUid)
    return directory
  } catch (error) {
    await removeDisks(ociDirectory, directory)
    throw error
  }
}

/** What the container of a guest has of its disks. */
export function diskMounts(directory: string): Mounts {
  const tree = blockPlaces.map(({ directory: part, target }) => {
    return { Type: 'bind', Source: join(directory, 'sys', part), Target: target, ReadOnly: true } as const
  })
  if (!existsSync(ephemeralFile(directory))) return tree
  return [...tree, { Type: 'bind', Source: ephemeralRoot(directory), Target: '/mnt' }]
}

/** Before each start, as large as they are to be: a host that fell has forgotten its mounts. */
export async function mountDisks(directory: string): Promise<void> {
  if (!existsSync(ephemeralFile(directory))) return
  await growEphemeral(directory, (await sizesOf(directory)).ephemeralGiB * gib)
  await mountEphemeral(directory)
}

/** The guest reads of its disks what they are. @param pid of its init: the kernel numbers its root anew at each start */
export async function showDisks(directory: string, pid: number): Promise<void> {
  const root = await numberOf(`/proc/${pid}/root/`)
  // Its init has ended already.
  if (!root) return
  const devices: BlockDevice[] = [{ name: 'vda', bytes: await rootBytes(directory), ...root }]
  const [file, vdb] = [ephemeralFile(directory), await numberOf(ephemeralRoot(directory))]
  if (vdb) devices.push({ name: 'vdb', bytes: (await stat(file)).size, ...vdb })
  await writeBlockTree(join(directory, 'sys'), devices)
}

/** Other sizes for the disks that there are; an ephemeral one has its own from the next start on. @param pid null when the guest does not run */
export async function resizeDisks(directory: string, sizes: GuestDisks, pid: number | null): Promise<void> {
  await writeFile(sizesPath(directory), JSON.stringify(sizes))
  if (pid !== null) await showDisks(directory, pid)
}

/** Their container is gone before. What is not among the disks of this engine is left alone. */
export async function removeDisks(ociDirectory: string, directory: string): Promise<void> {
  if (dirname(directory) !== disksHome(ociDirectory)) return
  await unmount(ephemeralRoot(directory))
  await rm(directory, { recursive: true, force: true })
}

/** @param known directories of all containers; asked after the look @returns those that were taken away */
export async function sweepDisks(
  ociDirectory: string,
  known: () => Promise<ReadonlySet<string>>,
): Promise<readonly string[]> {
  const home = disksHome(ociDirectory)
  const names = existsSync(home) ? await readdir(home) : []
  const old: string[] = []
  for (const directory of names.map((name) => join(home, name)))
    if (Date.now() - (await stat(directory)).birthtimeMs > ownerlessMs) old.push(directory)
  if (old.length === 0) return []
  const present = await known()
  const ownerless = old.filter((directory) => !present.has(directory))
  for (const directory of ownerless) await removeDisks(ociDirectory, directory)
  return ownerless
}

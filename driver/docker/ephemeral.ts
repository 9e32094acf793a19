/** A guest's second disk: a file of its own on the host, with a file system that ends where the disk does. */
import { chown, mkdir, open, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { messageOf, Unavailable } from '../../core/errors.ts'
import { isMounted, mount, unmount } from './mount.ts'

const makeTimeoutMs = 120_000

export function ephemeralFile(directory: string): string {
  return join(directory, 'vdb.img')
}

/** Where it is mounted on the host while its guest runs. */
export function ephemeralRoot(directory: string): string {
  return join(directory, 'vdb')
}

/** @param worst exit code that is still well */
async function run(command: string, words: readonly string[], worst = 0): Promise<void> {
  const { exitCode, stderr } = await execa(command, [...words], { reject: false, timeout: makeTimeoutMs })
  if (exitCode === undefined || exitCode > worst)
    throw new Unavailable(`The ephemeral disk: ${command} failed: ${stderr.trim()}`)
}

/** Takes room only as it is written to. @param rootUid the host's id of the guest's root, who owns it */
export async function makeEphemeral(directory: string, bytes: number, rootUid: number): Promise<void> {
  const path = ephemeralFile(directory)
  const file = await open(path, 'wx', 0o600)
  try {
    await file.truncate(bytes)
  } finally {
    await file.close()
  }
  const extended = `lazy_itable_init=1,lazy_journal_init=1,root_owner=${rootUid}:${rootUid}`
  await run('mkfs.ext4', ['-q', '-m', '0', '-L', 'ephemeral0', '-E', extended, path])
  await mountEphemeral(directory)
  await chown(join(ephemeralRoot(directory), 'lost+found'), rootUid, rootUid)
}

/** What is mounted already stays so. @throws Unavailable where the host has no loop devices */
export async function mountEphemeral(directory: string): Promise<void> {
  const path = ephemeralRoot(directory)
  await mkdir(path, { recursive: true })
  if (await isMounted(path)) return
  try {
    await mount(['-t', 'ext4', '-o', 'loop,nodev,discard', ephemeralFile(directory), path])
  } catch (error) {
    throw new Unavailable(`The ephemeral disk needs a loop device of its host: ${messageOf(error)}`, { cause: error })
  }
}

/**
 * Grows the disk of a guest that does not run, and its file system: the kernel lets only who may exceed all limits (CAP_SYS_RESOURCE)
 * do so while it is mounted. One that is as large already, or larger, keeps its size.
 */
export async function growEphemeral(directory: string, bytes: number): Promise<void> {
  const path = ephemeralFile(directory)
  if ((await stat(path)).size >= bytes) return
  await unmount(ephemeralRoot(directory))
  // What an earlier attempt left half grown is mended by the same two commands.
  await run('e2fsck', ['-f', '-p', path], 1)
  await run('resize2fs', [path, `${bytes / 1024}K`])
}

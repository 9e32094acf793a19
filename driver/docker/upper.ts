/**
 * Files put straight into the writable layer of a container that has never run. Docker's own way (an archive over the API) mounts
 * the whole file system in a process of its own, which takes longer than making the container.
 * Source: kernel's overlayfs.rst, "Changes to underlying filesystems": allowed while the overlay is not mounted.
 */
import { chown, lstat, mkdir, writeFile, chmod } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { hasCode } from '../../core/errors.ts'
import type { Inspected } from './guest.ts'

export interface OwnedFile {
  /** absolute, inside the guest; a directory ends in '/' */
  readonly path: string
  readonly mode: number
  readonly content: string | Uint8Array
  /** the guest's own id of user and group */
  readonly uid: number
}

/** The writable layer and, from the top, the layers under it. */
export interface Layers {
  readonly upper: string
  readonly lower: readonly string[]
  /** the host's id of the guest's root */
  readonly rootUid: number
}

const overlay = z.object({
  Name: z.literal('overlay2'),
  Data: z.object({ UpperDir: z.string(), LowerDir: z.string() }),
})

/** The container's layers, or null where the storage driver is another. */
export function layersOf({ GraphDriver }: Inspected, rootUid: number): Layers | null {
  const { data } = overlay.safeParse(GraphDriver)
  return data ? { upper: data.Data.UpperDir, lower: data.Data.LowerDir.split(':'), rootUid } : null
}

async function find(path: string): Promise<Awaited<ReturnType<typeof lstat>> | null> {
  try {
    return await lstat(path)
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return null
    throw error
  }
}

/** The directory is in the writable layer, as it was in the image. @returns false when the image has something else there */
async function ensureDirectory(layers: Layers, path: string): Promise<boolean> {
  if (path === '/') return true
  if (!(await ensureDirectory(layers, dirname(path)))) return false
  const present = await find(join(layers.upper, path))
  if (present) return present.isDirectory()
  for (const layer of layers.lower) {
    const model = await find(join(layer, path))
    if (!model) continue
    if (!model.isDirectory()) return false
    await mkdir(join(layers.upper, path))
    await chown(join(layers.upper, path), Number(model.uid), Number(model.gid))
    await chmod(join(layers.upper, path), Number(model.mode) & 0o7777)
    return true
  }
  await mkdir(join(layers.upper, path), { mode: 0o755 })
  await chown(join(layers.upper, path), layers.rootUid, layers.rootUid)
  return true
}

/**
 * Every directory on the way is made by this function in a layer that is empty before, so no link of the image is ever followed.
 *
 * @returns false, with files of ours at most, when the image has a link or a file where a directory is needed
 */
export async function writeToLayer(layers: Layers, files: readonly OwnedFile[]): Promise<boolean> {
  for (const { path, mode, content, uid } of files) {
    const isDirectory = path.endsWith('/')
    const name = isDirectory ? path.slice(0, -1) : path
    if (!(await ensureDirectory(layers, isDirectory ? name : dirname(name)))) return false
    const target = join(layers.upper, name)
    if (!isDirectory) await writeFile(target, content, { mode })
    await chown(target, layers.rootUid + uid, layers.rootUid + uid)
    await chmod(target, mode)
  }
  return true
}

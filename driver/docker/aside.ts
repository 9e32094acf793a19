/**
 * A guest that stepped aside for another one of the same server: its container bears another name, and its file system can be
 * mounted for the one in its place.
 */
import { mkdir, readFile, rmdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { Conflict, hasCode, NotFound, Unsupported } from '../../core/errors.ts'
import { asideName, containerName } from './container.ts'
import { inspectContainer, removeContainer, type Engine } from './engine.ts'
import { toCloudError, type Inspected } from './guest.ts'
import { isMounted, mount, unmount } from './mount.ts'
import { layersOf } from './upper.ts'

/** on a guest that has the file system of the one set aside mounted */
export const asideLabel = 'berth.aside'

/**
 * Mounts the root file system of a container that does not run; what is mounted already stays so.
 * Paths are short and relative to the engine's directory, since the kernel takes one page of options.
 */
async function mountRoot(container: Inspected, path: string): Promise<void> {
  const layers = layersOf(container, 0)
  if (!layers) throw new Unsupported('This storage driver cannot show the disk of one guest to another.')
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  await mkdir(path, { recursive: true })
  if (await isMounted(path)) return
  const own = dirname(layers.upper)
  const name = basename(own)
  const lower = (await readFile(join(own, 'lower'), 'utf8')).trim()
  const options = `index=off,lowerdir=${lower},upperdir=${name}/diff,workdir=${name}/work`
  await mount(['-t', 'overlay', 'overlay', '-o', options, path], dirname(own))
}

/** What is not mounted counts as unmounted. */
async function unmountRoot(path: string): Promise<void> {
  await unmount(path)
  try {
    await rmdir(path)
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error
  }
}

/** Where the file system of a guest that was set aside is mounted on this host. */
export function asideRoot({ ociDirectory }: Engine, serverId: string): string {
  return join(dirname(ociDirectory), 'aside', serverId)
}

/** @throws NotFound when none is aside; Unsupported, Unavailable */
export async function mountAside(engine: Engine, serverId: string): Promise<void> {
  const aside = await inspectContainer(engine, asideName(serverId))
  if (!aside) throw new NotFound('Guest', asideName(serverId))
  await mountRoot(aside, asideRoot(engine, serverId))
}

async function rename(engine: Engine, { Id }: Inspected, name: string, serverId: string): Promise<void> {
  try {
    await engine.docker.getContainer(Id).rename({ name })
  } catch (error) {
    throw toCloudError(error, serverId)
  }
}

export async function setAside(engine: Engine, serverId: string): Promise<void> {
  if (await inspectContainer(engine, asideName(serverId))) {
    await removeContainer(engine, containerName(serverId))
    return
  }
  const found = await inspectContainer(engine, containerName(serverId))
  if (!found) throw new NotFound('Guest', serverId)
  if (found.State.Running) throw new Conflict(`Guest of server ${serverId} is running.`)
  await rename(engine, found, asideName(serverId), serverId)
}

export async function bringBack(engine: Engine, serverId: string): Promise<void> {
  const aside = await inspectContainer(engine, asideName(serverId))
  if (!aside) return
  await removeContainer(engine, containerName(serverId))
  await unmountRoot(asideRoot(engine, serverId))
  await rename(engine, aside, containerName(serverId), serverId)
}

export async function dropAside(engine: Engine, serverId: string): Promise<void> {
  await unmountRoot(asideRoot(engine, serverId))
  await removeContainer(engine, asideName(serverId))
}

/** The way from a specification to a container that can be started. */
import { existsSync } from 'node:fs'
import type Docker from 'dockerode'
import type { Guest, GuestSpec } from '../driver.ts'
import { asideLabel, asideRoot, mountAside } from './aside.ts'
import { namespacesLabel } from './born.ts'
import { containerName, containerOf, type ContainerSettings } from './container.ts'
import { diskMounts, disksLabel, makeDisks, removeDisks } from './disks.ts'
import { createContainer, findGuest, removeContainer, type Engine } from './engine.ts'
import { putFiles } from './files.ts'
import { toCloudError, toGuest, type Inspected } from './guest.ts'
import type { Images } from './known-images.ts'
import type { Lxcfs, Mounts } from './lxcfs.ts'
import { hasOciSpec, writeOciSpec } from './oci-spec.ts'
import { layersOf } from './upper.ts'

/** What guests are made with. */
export interface Making {
  readonly engine: Engine
  readonly container: ContainerSettings
  readonly images: Images
  readonly lxcfs: Lxcfs
  /** the host's id of the guests' root */
  readonly rootUid: () => Promise<number>
}

/** A container that a killed agent left before its files were in is none that could boot. */
async function isWhole({ engine }: Making, found: Inspected): Promise<boolean> {
  return found.State.Status !== 'created' || (await hasOciSpec(engine.ociDirectory, found.Id))
}

async function disksOf({ engine, rootUid }: Making, { disks, asideAt }: GuestSpec): Promise<string> {
  const { rootGiB = 0, ephemeralGiB = 0 } = disks ?? {}
  const wanted = { rootGiB, ephemeralGiB: asideAt === undefined ? ephemeralGiB : 0 }
  return await makeDisks(engine.ociDirectory, wanted, await rootUid())
}

/** What the guest is to see of the one that was set aside for it. */
async function asideMounts({ engine }: Making, { serverId, asideAt }: GuestSpec): Promise<Mounts> {
  if (asideAt === undefined) return []
  await mountAside(engine, serverId)
  return [{ Type: 'bind', Source: asideRoot(engine, serverId), Target: asideAt }]
}

/** Without a container its disks are nobody's, and what was known of images may be no more true. */
async function containerWith(
  { engine, images }: Making,
  serverId: string,
  options: Docker.ContainerCreateOptions,
): Promise<Docker.Container> {
  try {
    return await createContainer(engine, serverId, options)
  } catch (error) {
    images.forget()
    await removeDisks(engine.ociDirectory, options.Labels?.[disksLabel] ?? '')
    throw error
  }
}

/** One that is there already, and could boot, is the one. What stands aside is the server's own disk: it stays. */
export async function createGuest(making: Making, spec: GuestSpec): Promise<Guest> {
  const { engine, lxcfs, images } = making
  const name = containerName(spec.serverId)
  const present = await findGuest(engine, spec.serverId)
  if (present) {
    if (await isWhole(making, present)) return toGuest(present)
    await removeContainer(engine, name)
  }
  const image = await images.ofId(spec.image)
  const born = {
    netns: spec.netnsPath,
    userns: spec.usernsPath,
    systemdCgroup: image.isSystemd && existsSync('/sys/fs/cgroup/systemd'),
  }
  const seen = [...(await lxcfs.mounts()), ...(await asideMounts(making, spec))]
  const disks = await disksOf(making, spec)
  const options = containerOf(spec, making.container, [...seen, ...diskMounts(disks)])
  const container = await containerWith(making, spec.serverId, {
    ...options,
    ...(image.init === '/sbin/init' ? {} : { Cmd: [image.init], Entrypoint: [] }),
    Labels: {
      ...options.Labels,
      [namespacesLabel]: JSON.stringify(born),
      [disksLabel]: disks,
      ...(spec.asideAt === undefined ? {} : { [asideLabel]: spec.asideAt }),
    },
  })
  try {
    await putFiles(container, spec.files, layersOf(await container.inspect(), await making.rootUid()))
    await writeOciSpec(engine.ociDirectory, container.id, born)
  } catch (error) {
    await removeContainer(engine, name)
    throw toCloudError(error, spec.serverId)
  }
  return {
    guestId: container.id,
    serverId: spec.serverId,
    name,
    state: 'created',
    pid: null,
    exitCode: null,
    startedAt: null,
    memoryMiB: spec.memoryMiB,
    cpuset: spec.cpuset,
  }
}

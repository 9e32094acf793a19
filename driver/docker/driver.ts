/** The real driver: a guest is a Docker container with an init, without Docker's network, under our runtime. */
import { existsSync } from 'node:fs'
import type { Readable } from 'node:stream'
import Docker from 'dockerode'
import { Conflict, NotFound, Unavailable, Unsupported } from '../../core/errors.ts'
import type { DiskSpeeds } from '../../core/flavor-limits.ts'
import {
  exitPoweroff,
  exitReboot,
  type Capacity,
  type CaptureOptions,
  type Captured,
  type ComputeDriver,
  type Fate,
  type Guest,
  type GuestExit,
  type GuestLimits,
  type GuestSpec,
  type GuestStats,
} from '../driver.ts'
import type { GuestDisk } from '../disk.ts'
import { asideRoot, bringBack, dropAside, mountAside, setAside } from './aside.ts'
import { bornOf, namespacesLabel } from './born.ts'
import { hostCapacity } from './capacity.ts'
import { capture } from './capture.ts'
import { containerName, containerOf, limitsOf, type ContainerSettings } from './container.ts'
import {
  diskMounts,
  disksLabel,
  makeDisks,
  mountDisks,
  removeDisks,
  resizeDisks,
  showDisks,
  sweepDisks,
} from './disks.ts'
import { callGuest, createContainer, inspectContainer, removeContainer, startContainer, type Engine } from './engine.ts'
import { holdDisk } from './disk-speed.ts'
import { followLives } from './events.ts'
import { execIn, type ExecResult } from './exec.ts'
import { putFiles } from './files.ts'
import { untilFrozen } from './freeze.ts'
import { alreadyThus, toCloudError, toGuest, type Inspected } from './guest.ts'
import { imageBytes, imageContainer, removeScratch, type ImageSources } from './images.ts'
import { Images } from './known-images.ts'
import { Lxcfs, type Mounts } from './lxcfs.ts'
import { forbidSwap, reclaimMemory } from './memory.ts'
import { statsOf } from './stats.ts'
import { LayerDisk } from './layer-disk.ts'
import { lastLines, OpenLines, runningIds } from './open-line.ts'
import { layersOf } from './upper.ts'
import { hasOciSpec, writeOciSpec } from './oci-spec.ts'
import { hasEnded, hasPoweredOff } from './power-off.ts'
import { sweepRemains } from './sweep.ts'

export interface DockerSettings {
  /** path of the engine's unix socket */
  readonly socketPath: string
  /** where the runtime wrapper looks for its specs */
  readonly ociDirectory: string
  readonly runtime: string
  readonly cgroupParent: string
  readonly lxcfsDir: string | null
  /** silence of the engine that counts as a failed call; starts and removals of a busy host take seconds */
  readonly callTimeoutMs?: number
  /** absent = the reference itself says where, and nobody asks who pulls */
  readonly sources?: ImageSources
}

export const guestLabel = 'berth.server'
/** on a guest that has the file system of the one set aside mounted */
const asideLabel = 'berth.aside'
const defaultCallTimeoutMs = 120_000
const asReferred: ImageSources = (reference) => Promise.resolve([{ reference, authconfig: null }])

export class DockerDriver implements ComputeDriver {
  readonly #docker: Docker
  readonly #callTimeoutMs: number
  readonly #settings: DockerSettings
  readonly #engine: Engine
  readonly #container: ContainerSettings
  readonly #lxcfs: Lxcfs
  readonly #images: Images
  readonly #openLines = new OpenLines()
  /** the host's id of the guests' root: fixed as long as the engine has its data */
  #rootUid: number | null = null

  constructor(settings: DockerSettings) {
    this.#settings = settings
    this.#callTimeoutMs = settings.callTimeoutMs ?? defaultCallTimeoutMs
    this.#docker = new Docker({ socketPath: settings.socketPath, timeout: this.#callTimeoutMs })
    this.#engine = { docker: this.#docker, ociDirectory: settings.ociDirectory }
    this.#container = { ...settings, label: guestLabel }
    this.#images = new Images(this.#docker, settings.sources ?? asReferred)
    this.#lxcfs = new Lxcfs(settings.lxcfsDir)
  }

  async ensureImage(reference: string, signal?: AbortSignal): Promise<string> {
    return await this.#images.ensure(reference, signal)
  }

  async images(): Promise<readonly string[]> {
    return await this.#images.references()
  }

  async removeImage(digest: string, isOurs: (reference: string) => boolean): Promise<boolean> {
    return await this.#images.remove(digest, isOurs)
  }

  async imageBytes(): Promise<number> {
    return await imageBytes(this.#docker)
  }

  async captureImage(reference: string, scratch: string): Promise<Readable> {
    const container = await imageContainer(this.#docker, await this.#images.ensure(reference), this.#scratchName())
    // What Docker itself puts into each container is none of the image's.
    const fateOf = (path: string): Fate => (path === '.dockerenv' ? 'drop' : 'keep')
    const frozen = (work: () => Promise<void>): Promise<void> => work()
    try {
      return await capture(container, { layers: null, scratch, isOff: false, frozen, fateOf })
    } finally {
      await removeScratch(this.#docker, this.#scratchName())
    }
  }

  /** One at a time: the next one removes what a killed process left. */
  #scratchName(): string {
    return `${this.#settings.cgroupParent.replace(/^\//, '')}-flattening`
  }

  async create(spec: GuestSpec): Promise<Guest> {
    const present = await this.#find(spec.serverId)
    if (present) {
      if (await this.#isWhole(present)) return toGuest(present, guestLabel)
      await this.#removeMain(spec.serverId)
    }
    const image = await this.#images.ofId(spec.image)
    const born = {
      netns: spec.netnsPath,
      userns: spec.usernsPath,
      systemdCgroup: image.isSystemd && existsSync('/sys/fs/cgroup/systemd'),
    }
    const seen = [...(await this.#lxcfs.mounts()), ...(await this.#asideMounts(spec))]
    const disks = await this.#makeDisks(spec)
    const options = containerOf(spec, this.#container, [...seen, ...diskMounts(disks)])
    const container = await this.#createContainer(spec.serverId, {
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
      await this.#putFiles(container, spec)
      await writeOciSpec(this.#settings.ociDirectory, container.id, born)
    } catch (error) {
      await this.#removeMain(spec.serverId)
      throw toCloudError(error, spec.serverId)
    }
    return {
      guestId: container.id,
      serverId: spec.serverId,
      name: containerName(spec.serverId),
      state: 'created',
      pid: null,
      exitCode: null,
      startedAt: null,
      memoryMiB: spec.memoryMiB,
      cpuset: spec.cpuset,
    }
  }

  async #makeDisks({ disks, asideAt }: GuestSpec): Promise<string> {
    const { rootGiB = 0, ephemeralGiB = 0 } = disks ?? {}
    const wanted = { rootGiB, ephemeralGiB: asideAt === undefined ? ephemeralGiB : 0 }
    return await makeDisks(this.#settings.ociDirectory, wanted, await this.#guestRootUid())
  }

  async #guestRootUid(): Promise<number> {
    return (this.#rootUid ??= (await this.capacity()).guestRootUid)
  }

  /** What the guest is to see of the one that was set aside for it. */
  async #asideMounts({ serverId, asideAt }: GuestSpec): Promise<Mounts> {
    if (asideAt === undefined) return []
    await mountAside(this.#engine, serverId)
    return [{ Type: 'bind', Source: asideRoot(this.#engine, serverId), Target: asideAt }]
  }

  async start(serverId: string): Promise<Guest> {
    const found = await this.#find(serverId)
    if (!found) throw new NotFound('Guest', serverId)
    const disks = found.Config.Labels[disksLabel]
    if (found.State.Paused) await this.unpause(serverId)
    else if (!found.State.Running) {
      if (found.Config.Labels[asideLabel] !== undefined) await mountAside(this.#engine, serverId)
      if (disks !== undefined) await mountDisks(disks)
      await writeOciSpec(this.#settings.ociDirectory, found.Id, bornOf(found))
      await startContainer(this.#engine, serverId, found)
    }
    const guest = await this.inspect(serverId)
    if (!guest) throw new NotFound('Guest', serverId)
    if (disks !== undefined && guest.pid !== null) await showDisks(disks, guest.pid)
    if (guest.state === 'stopped' && guest.exitCode !== exitReboot && guest.exitCode !== exitPoweroff) {
      const lastWords = (await this.consoleLog(serverId, 3)).trim()
      throw new Unavailable(
        `The init of server ${serverId} ended as soon as it began, with exit code ${String(guest.exitCode)}: ${lastWords}`,
      )
    }
    return guest
  }

  async stop(serverId: string, graceSeconds: number): Promise<void> {
    const found = await this.#find(serverId)
    if (found?.State.Running !== true) return
    if (found.State.Paused) await this.unpause(serverId)
    if (await hasPoweredOff(this.#engine, found, { graceSeconds, isSystemd: bornOf(found).systemdCgroup })) return
    await callGuest(this.#engine, serverId, (container) => container.kill({ signal: 'SIGKILL' }), alreadyThus.kill)
    if (!(await hasEnded(this.#engine, found.Id, this.#callTimeoutMs)))
      throw new Unavailable(`Guest of server ${serverId} was killed and did not end.`)
  }

  async remove(serverId: string): Promise<void> {
    await this.#removeMain(serverId)
    await this.dropAside(serverId)
  }

  /** What stands aside is the server's own disk: it stays. */
  async #removeMain(serverId: string): Promise<void> {
    await removeContainer(this.#engine, containerName(serverId))
  }

  async capture(serverId: string, { scratch, isWhole, isOff = false, fateOf }: CaptureOptions): Promise<Captured> {
    const found = await this.#find(serverId)
    if (!found) throw new NotFound('Guest', serverId)
    const layers = isWhole ? null : layersOf(found, await this.#guestRootUid())
    const frozen = (work: () => Promise<void>): Promise<void> => this.#whileFrozen(found, serverId, work)
    const archive = await capture(this.#docker.getContainer(found.Id), { layers, scratch, isOff, frozen, fateOf })
    return { kind: layers === null ? 'whole' : 'changes', archive }
  }

  async disk(serverId: string): Promise<GuestDisk | null> {
    const found = await this.#find(serverId)
    const layers = found && layersOf(found, 0)
    return layers && new LayerDisk({ image: found.Image, upper: layers.upper, userns: bornOf(found).userns })
  }

  /** A guest that stands still already stays so. */
  async #whileFrozen({ State }: Inspected, serverId: string, work: () => Promise<void>): Promise<void> {
    const isRunning = State.Running && !State.Paused
    if (isRunning) await this.pause(serverId)
    try {
      await work()
    } finally {
      if (isRunning) await this.unpause(serverId)
    }
  }

  async setAside(serverId: string): Promise<void> {
    await setAside(this.#engine, serverId)
  }

  async bringBack(serverId: string): Promise<void> {
    await bringBack(this.#engine, serverId)
  }

  async dropAside(serverId: string): Promise<void> {
    await dropAside(this.#engine, serverId)
  }

  async pause(serverId: string): Promise<void> {
    await untilFrozen(() => callGuest(this.#engine, serverId, (container) => container.pause(), alreadyThus.pause))
  }

  async unpause(serverId: string): Promise<void> {
    await callGuest(this.#engine, serverId, (container) => container.unpause(), alreadyThus.unpause)
  }

  async suspend(serverId: string): Promise<number> {
    await this.pause(serverId)
    const guest = await this.inspect(serverId)
    return guest?.pid == null ? 0 : await reclaimMemory(guest.pid)
  }

  async resume(serverId: string): Promise<void> {
    const guest = await this.inspect(serverId)
    if (guest?.pid != null) await forbidSwap(guest.pid, guest.memoryMiB)
    await this.unpause(serverId)
  }

  async inspect(serverId: string): Promise<Guest | null> {
    const found = await this.#find(serverId)
    return found ? toGuest(found, guestLabel) : null
  }

  async list(): Promise<readonly Guest[]> {
    const rows = await this.#docker.listContainers({ all: true })
    const found = await Promise.all(rows.map(({ Id }) => inspectContainer(this.#engine, Id)))
    return found.flatMap((one) => (one ? [toGuest(one, guestLabel)] : []))
  }

  async setLimits(serverId: string, limits: GuestLimits): Promise<void> {
    const { vcpus } = await this.capacity()
    // Docker takes an empty list of CPUs for "as it was".
    const CpusetCpus = limits.cpuset ?? `0-${vcpus - 1}`
    await callGuest(this.#engine, serverId, (container) => container.update({ ...limitsOf(limits), CpusetCpus }))
    const found = await this.#find(serverId)
    const disks = found?.Config.Labels[disksLabel]
    if (disks === undefined || !limits.disks) return
    await resizeDisks(disks, limits.disks, found?.State.Running ? found.State.Pid : null)
  }

  async setDiskSpeeds(serverId: string, speeds: DiskSpeeds): Promise<void> {
    const found = await this.#find(serverId)
    if (!found) throw new NotFound('Guest', serverId)
    if (!found.State.Running) throw new Conflict(`Guest of server ${serverId} does not run.`)
    const layers = layersOf(found, 0)
    if (!layers) throw new Unsupported('This storage driver does not tell where the disk of a guest is.')
    await holdDisk(found.State.Pid, layers.upper, speeds)
  }

  async exec(serverId: string, command: readonly string[], timeoutMs: number, input?: string): Promise<ExecResult> {
    return await callGuest(this.#engine, serverId, (container) => execIn(container, command, timeoutMs, input))
  }

  async consoleLog(serverId: string, lines: number | null): Promise<string> {
    const found = await this.#find(serverId)
    if (!found || lines === 0) return ''
    const tail = lines === null ? {} : { tail: lines }
    const log = await callGuest(this.#engine, serverId, (container) =>
      container.logs({ stdout: true, stderr: true, follow: false, ...tail }),
    )
    return lastLines(`${log.toString('utf8')}${this.#openLines.of(found.Id)}`.replaceAll('\r\n', '\n'), lines)
  }

  async sweep(): Promise<readonly string[]> {
    const rows = (): Promise<Docker.ContainerInfo[]> => this.#docker.listContainers({ all: true })
    const remains = await sweepRemains(this.#settings, async () => new Set((await rows()).map(({ Id }) => Id)))
    const disks = await sweepDisks(
      this.#settings.ociDirectory,
      async () => new Set((await rows()).flatMap(({ Labels }) => Labels[disksLabel] ?? [])),
    )
    return [...remains, ...disks]
  }

  async stats(serverId: string): Promise<GuestStats | null> {
    const guest = await this.inspect(serverId)
    return guest?.pid == null ? null : await statsOf(guest, guest.pid)
  }

  async capacity(): Promise<Capacity> {
    return await hostCapacity(this.#docker)
  }

  async watchExits(onExit: (exit: GuestExit) => void, signal: AbortSignal): Promise<void> {
    const patient = new Docker({ socketPath: this.#settings.socketPath })
    const onStart = (guestId: string): void => void this.#openLines.follow(patient.getContainer(guestId), signal)
    const watched = followLives(patient, guestLabel, { onStart, onExit, signal })
    const running = await runningIds(patient, guestLabel)
    running.forEach(onStart)
    await watched
  }

  async #putFiles(container: Docker.Container, { files }: GuestSpec): Promise<void> {
    await putFiles(container, files, layersOf(await container.inspect(), await this.#guestRootUid()))
  }

  /** A container that a killed agent left before its files were in is none that could boot. */
  async #isWhole(found: Inspected): Promise<boolean> {
    return found.State.Status !== 'created' || (await hasOciSpec(this.#settings.ociDirectory, found.Id))
  }

  async #createContainer(serverId: string, options: Docker.ContainerCreateOptions): Promise<Docker.Container> {
    try {
      return await createContainer(this.#engine, serverId, options)
    } catch (error) {
      this.#images.forget()
      await removeDisks(this.#settings.ociDirectory, options.Labels?.[disksLabel] ?? '')
      throw error
    }
  }

  async #find(serverId: string): Promise<Inspected | null> {
    return await inspectContainer(this.#engine, containerName(serverId))
  }
}

/** The real driver: a guest is a Docker container with an init, without Docker's network, under our runtime. */
import type { Readable } from 'node:stream'
import Docker from 'dockerode'
import { Conflict, NotFound, Unsupported } from '../../core/errors.ts'
import type { DiskSpeeds } from '../../core/flavor-limits.ts'
import type {
  Capacity,
  CaptureOptions,
  Captured,
  ComputeDriver,
  ExecResult,
  Fate,
  Guest,
  GuestExit,
  GuestLimits,
  GuestSpec,
  GuestStats,
} from '../driver.ts'
import type { GuestDisk } from '../disk.ts'
import { bringBack, dropAside, setAside } from './aside.ts'
import { bornOf, isBornIn } from './born.ts'
import { hostCapacity } from './capacity.ts'
import { capture } from './capture.ts'
import { containerName, guestLabel, limitsOf } from './container.ts'
import { createGuest, type Making } from './create.ts'
import { disksLabel, resizeDisks, sweepDisks } from './disks.ts'
import { callGuest, findGuest, inspectContainer, removeContainer, type Engine } from './engine.ts'
import { holdDisk } from './disk-speed.ts'
import { followLives } from './events.ts'
import { execIn } from './exec.ts'
import { toGuest } from './guest.ts'
import { imageBytes, imageContainer, removeScratch, type ImageSources } from './images.ts'
import { Images } from './known-images.ts'
import { Lxcfs } from './lxcfs.ts'
import { forbidSwap, reclaimMemory } from './memory.ts'
import { statsOf } from './stats.ts'
import { LayerDisk } from './layer-disk.ts'
import { lastLines, OpenLines, runningIds } from './open-line.ts'
import { pauseGuest, startGuest, stopGuest, unpauseGuest, whileFrozen } from './power.ts'
import { layersOf } from './upper.ts'
import { sweepRemains } from './sweep.ts'

/** Which engine, and how guests stand in it. */
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

const defaultCallTimeoutMs = 120_000
const asReferred: ImageSources = (reference) => Promise.resolve([{ reference, authconfig: null }])

export class DockerDriver implements ComputeDriver {
  readonly #docker: Docker
  readonly #callTimeoutMs: number
  readonly #settings: DockerSettings
  readonly #engine: Engine
  readonly #making: Making
  readonly #images: Images
  readonly #openLines = new OpenLines()
  /** the host's id of the guests' root: fixed as long as the engine has its data */
  #rootUid: number | null = null

  constructor(settings: DockerSettings) {
    this.#settings = settings
    this.#callTimeoutMs = settings.callTimeoutMs ?? defaultCallTimeoutMs
    this.#docker = new Docker({ socketPath: settings.socketPath, timeout: this.#callTimeoutMs })
    this.#engine = { docker: this.#docker, ociDirectory: settings.ociDirectory }
    this.#images = new Images(this.#docker, settings.sources ?? asReferred)
    this.#making = {
      engine: this.#engine,
      container: settings,
      images: this.#images,
      lxcfs: new Lxcfs(settings.lxcfsDir),
      rootUid: () => this.#guestRootUid(),
    }
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

  holdsImage(digest: string): boolean {
    return this.#images.isHeld(digest)
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

  async #guestRootUid(): Promise<number> {
    return (this.#rootUid ??= (await this.capacity()).guestRootUid)
  }

  async create(spec: GuestSpec): Promise<Guest> {
    return await createGuest(this.#making, spec)
  }

  async start(serverId: string): Promise<Guest> {
    return await startGuest(this.#engine, serverId, {
      beforeStart: (containerId) => this.#openLines.beforeStart(containerId),
      lastWords: () => this.consoleLog(serverId, 3),
    })
  }

  async stop(serverId: string, graceSeconds: number): Promise<void> {
    await stopGuest(this.#engine, serverId, { graceSeconds, killedMs: this.#callTimeoutMs })
  }

  async remove(serverId: string): Promise<void> {
    await removeContainer(this.#engine, containerName(serverId))
    await this.dropAside(serverId)
  }

  async capture(serverId: string, { scratch, isWhole, isOff = false, fateOf }: CaptureOptions): Promise<Captured> {
    const found = await findGuest(this.#engine, serverId)
    if (!found) throw new NotFound('Guest', serverId)
    const layers = isWhole ? null : layersOf(found, await this.#guestRootUid())
    const frozen = (work: () => Promise<void>): Promise<void> => whileFrozen(this.#engine, { serverId, found }, work)
    const archive = await capture(this.#docker.getContainer(found.Id), { layers, scratch, isOff, frozen, fateOf })
    return { kind: layers === null ? 'whole' : 'changes', archive }
  }

  async disk(serverId: string): Promise<GuestDisk | null> {
    const found = await findGuest(this.#engine, serverId)
    const layers = found && layersOf(found, 0)
    return layers && new LayerDisk({ image: found.Image, upper: layers.upper, userns: bornOf(found).userns })
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
    await pauseGuest(this.#engine, serverId)
  }

  async unpause(serverId: string): Promise<void> {
    await unpauseGuest(this.#engine, serverId)
  }

  async suspend(serverId: string): Promise<number> {
    await pauseGuest(this.#engine, serverId)
    const guest = await this.inspect(serverId)
    return guest?.pid == null ? 0 : await reclaimMemory(guest.pid)
  }

  async resume(serverId: string): Promise<void> {
    const guest = await this.inspect(serverId)
    if (guest?.pid != null) await forbidSwap(guest.pid, guest.memoryMiB)
    await unpauseGuest(this.#engine, serverId)
  }

  async inspect(serverId: string): Promise<Guest | null> {
    const found = await findGuest(this.#engine, serverId)
    return found ? toGuest(found) : null
  }

  async list(): Promise<readonly Guest[]> {
    const rows = await this.#docker.listContainers({ all: true })
    const found = await Promise.all(rows.map(({ Id }) => inspectContainer(this.#engine, Id)))
    return found.flatMap((one) => (one ? [toGuest(one)] : []))
  }

  /** The servers with a guest that was made for a namespace in `directory`: of one home, where several share the engine. */
  async serversIn(directory: string): Promise<ReadonlySet<string>> {
    const rows = await this.#docker.listContainers({ all: true, filters: { label: [guestLabel] } })
    return new Set(rows.flatMap(({ Labels }) => (isBornIn(directory, Labels) ? (Labels[guestLabel] ?? []) : [])))
  }

  async setLimits(serverId: string, limits: GuestLimits): Promise<void> {
    const { vcpus } = await this.capacity()
    // Docker takes an empty list of CPUs for "as it was".
    const CpusetCpus = limits.cpuset ?? `0-${vcpus - 1}`
    await callGuest(this.#engine, serverId, (container) => container.update({ ...limitsOf(limits), CpusetCpus }))
    const found = await findGuest(this.#engine, serverId)
    const disks = found?.Config.Labels[disksLabel]
    if (disks === undefined || !limits.disks) return
    await resizeDisks(disks, limits.disks, found?.State.Running ? found.State.Pid : null)
  }

  async setDiskSpeeds(serverId: string, speeds: DiskSpeeds): Promise<void> {
    const found = await findGuest(this.#engine, serverId)
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
    const found = await findGuest(this.#engine, serverId)
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
    const onStart = (guestId: string): void => this.#openLines.started(guestId)
    this.#openLines.listen({ docker: patient, signal })
    const watched = followLives(patient, guestLabel, { onStart, onExit, signal })
    const running = await runningIds(patient, guestLabel)
    running.forEach(onStart)
    await watched
  }
}

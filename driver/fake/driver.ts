/** A driver without a hypervisor, for tests of many guests: it keeps the contract of the real one, in memory. */
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { pack } from 'tar-stream'
import { Conflict, Invalid, NotFound, Unavailable } from '../../core/errors.ts'
import {
  exitPoweroff,
  exitReboot,
  type Capacity,
  type CaptureOptions,
  type Captured,
  type ComputeDriver,
  type ExecResult,
  type Guest,
  type GuestDisks,
  type GuestExit,
  type GuestLimits,
  type GuestSpec,
  type GuestStats,
} from '../driver.ts'
import { runCommand } from './commands.ts'

/** What a host in memory has. */
export interface FakeSettings {
  readonly capacity: Capacity
  /** whether an image has an init, by its reference; a reference that is not in here is not in the registry */
  readonly images: ReadonlyMap<string, boolean>
}

interface FakeGuest {
  readonly spec: GuestSpec
  disks: GuestDisks
  wantedEphemeralGiB: number
  guest: Guest
  console: string
}

const exitKilled = 137
/** Pids of guests that do not exist: above what a kernel gives out. */
const firstPid = 2 ** 22 + 1

export class FakeDriver implements ComputeDriver {
  readonly #settings: FakeSettings
  /** by id */
  readonly #images = new Map<string, string>()
  readonly #guests = new Map<string, FakeGuest>()
  readonly #aside = new Map<string, FakeGuest>()
  readonly #watchers = new Set<(exit: GuestExit) => void>()
  #nextPid = firstPid

  constructor(settings: FakeSettings) {
    this.#settings = settings
  }

  ensureImage(reference: string): Promise<string> {
    const hasInit = this.#settings.images.get(reference)
    if (hasInit === undefined) return Promise.reject(new Invalid(`Image ${reference} is not in the registry.`))
    if (!hasInit) return Promise.reject(new Invalid(`Image ${reference} has no init, so it cannot boot as a machine.`))
    const id = `sha256:${createHash('sha256').update(reference).digest('hex')}`
    this.#images.set(id, reference)
    return Promise.resolve(id)
  }

  images(): Promise<readonly string[]> {
    return Promise.resolve([...this.#images.values()])
  }

  removeImage(digest: string, isOurs: (reference: string) => boolean): Promise<boolean> {
    const used = new Set([...this.#guests.values()].map(({ spec }) => spec.image))
    const gone = [...this.#images].filter(
      ([id, reference]) => reference.endsWith(digest) && isOurs(reference) && !used.has(id),
    )
    for (const [id] of gone) this.#images.delete(id)
    return Promise.resolve(gone.length > 0)
  }

  holdsImage(): boolean {
    return false
  }

  imageBytes(): Promise<number> {
    return Promise.resolve(this.#images.size)
  }

  async captureImage(reference: string): Promise<Readable> {
    await this.ensureImage(reference)
    const archive = pack()
    archive.finalize()
    return Readable.from(archive)
  }

  create(spec: GuestSpec): Promise<Guest> {
    const present = this.#guests.get(spec.serverId)
    if (present) return Promise.resolve(present.guest)
    if (!this.#images.has(spec.image))
      return Promise.reject(new Unavailable(`There is no image ${spec.image} for server ${spec.serverId}.`))
    const guest: Guest = {
      guestId: createHash('sha256').update(spec.serverId).digest('hex'),
      serverId: spec.serverId,
      name: `berth-${spec.serverId}`,
      state: 'created',
      pid: null,
      exitCode: null,
      startedAt: null,
      memoryMiB: spec.memoryMiB,
      cpuset: spec.cpuset,
    }
    const { rootGiB = 0, ephemeralGiB = 0 } = spec.disks ?? {}
    const disks = { rootGiB, ephemeralGiB: spec.asideAt === undefined ? ephemeralGiB : 0 }
    this.#guests.set(spec.serverId, { spec, disks, wantedEphemeralGiB: 0, guest, console: '' })
    return Promise.resolve(guest)
  }

  start(serverId: string): Promise<Guest> {
    return this.#with(serverId, (one) => {
      if (one.guest.state === 'paused') one.guest = { ...one.guest, state: 'running' }
      if (one.guest.state !== 'running') {
        one.guest = { ...one.guest, state: 'running', pid: this.#nextPid, exitCode: null, startedAt: new Date() }
        this.#nextPid += 1
        one.disks = grown(one.disks, one.wantedEphemeralGiB)
        one.console += `Fake GNU/Linux 1 ${one.spec.hostname} console\n\n`
      }
      return one.guest
    })
  }

  stop(serverId: string, graceSeconds: number): Promise<void> {
    this.#end(serverId, graceSeconds > 0 ? exitPoweroff : exitKilled)
    return Promise.resolve()
  }

  remove(serverId: string): Promise<void> {
    this.#end(serverId, exitKilled)
    this.#guests.delete(serverId)
    this.#aside.delete(serverId)
    return Promise.resolve()
  }

  capture(serverId: string, { fateOf }: CaptureOptions): Promise<Captured> {
    return this.#with(serverId, ({ spec }) => {
      const archive = pack()
      for (const { path, mode, content } of spec.files) {
        const fate = fateOf(path.slice(1))
        if (fate === 'drop') continue
        archive.entry({ name: path.slice(1), mode }, fate === 'blank' ? '' : Buffer.from(content))
      }
      archive.finalize()
      return { kind: 'changes', archive: Readable.from(archive) }
    })
  }

  disk(): Promise<null> {
    return Promise.resolve(null)
  }

  setAside(serverId: string): Promise<void> {
    if (this.#aside.has(serverId)) return this.#leave(serverId)
    return this.#with(serverId, (one) => {
      if (one.guest.state === 'running' || one.guest.state === 'paused')
        throw new Conflict(`Guest of server ${serverId} is running.`)
      this.#aside.set(serverId, one)
      this.#guests.delete(serverId)
    })
  }

  async bringBack(serverId: string): Promise<void> {
    const one = this.#aside.get(serverId)
    if (!one) return
    await this.#leave(serverId)
    this.#aside.delete(serverId)
    this.#guests.set(serverId, one)
  }

  dropAside(serverId: string): Promise<void> {
    this.#aside.delete(serverId)
    return Promise.resolve()
  }

  pause(serverId: string): Promise<void> {
    return this.#with(serverId, (one) => {
      if (one.guest.state !== 'running' && one.guest.state !== 'paused') throw notRunning(serverId)
      one.guest = { ...one.guest, state: 'paused' }
    })
  }

  unpause(serverId: string): Promise<void> {
    return this.#with(serverId, (one) => {
      if (one.guest.state === 'paused') one.guest = { ...one.guest, state: 'running' }
    })
  }

  async suspend(serverId: string): Promise<number> {
    await this.pause(serverId)
    return 0
  }

  async resume(serverId: string): Promise<void> {
    await this.unpause(serverId)
  }

  inspect(serverId: string): Promise<Guest | null> {
    return Promise.resolve(this.#guests.get(serverId)?.guest ?? null)
  }

  list(): Promise<readonly Guest[]> {
    return Promise.resolve([...this.#guests.values(), ...this.#aside.values()].map(({ guest }) => guest))
  }

  setDiskSpeeds(serverId: string): Promise<void> {
    return this.#with(serverId, ({ guest }) => {
      if (guest.state !== 'running' && guest.state !== 'paused') throw notRunning(serverId)
    })
  }

  setLimits(serverId: string, limits: GuestLimits): Promise<void> {
    return this.#with(serverId, (one) => {
      one.guest = { ...one.guest, memoryMiB: limits.memoryMiB, cpuset: limits.cpuset }
      if (!limits.disks) return
      one.wantedEphemeralGiB = limits.disks.ephemeralGiB
      one.disks = { ...one.disks, rootGiB: limits.disks.rootGiB }
    })
  }

  async exec(serverId: string, command: readonly string[], timeoutMs: number, input = ''): Promise<ExecResult> {
    const { spec, disks } = await this.#with(serverId, (one) => {
      if (one.guest.state !== 'running') throw notRunning(serverId)
      return one
    })
    if (command[0] === 'reboot') this.#end(serverId, exitReboot)
    if (command[0] === 'poweroff') this.#end(serverId, exitPoweroff)
    return await runCommand({ ...spec, disks }, command, { timeoutMs, input })
  }

  consoleLog(serverId: string, lines: number | null): Promise<string> {
    const text = this.#guests.get(serverId)?.console ?? ''
    if (lines === null || text === '') return Promise.resolve(text)
    const all = text.replace(/\n$/, '').split('\n')
    return Promise.resolve(lines === 0 ? '' : `${all.slice(-lines).join('\n')}\n`)
  }

  sweep(): Promise<readonly string[]> {
    return Promise.resolve([])
  }

  stats(serverId: string): Promise<GuestStats | null> {
    const guest = this.#guests.get(serverId)?.guest
    if (guest?.pid == null) return Promise.resolve(null)
    const disk = { readBytes: 4096, readRequests: 1, writeBytes: 4096, writeRequests: 1 }
    const uptimeSeconds = Math.floor((Date.now() - (guest.startedAt?.getTime() ?? Date.now())) / 1000)
    const used = { cpuNanoseconds: 1_000_000, memoryUsedMiB: 1, memoryLimitMiB: guest.memoryMiB }
    return Promise.resolve({ ...used, disk, uptimeSeconds })
  }

  capacity(): Promise<Capacity> {
    return Promise.resolve(this.#settings.capacity)
  }

  async watchExits(onExit: (exit: GuestExit) => void, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return
    const watcher = (exit: GuestExit): void => onExit(exit)
    this.#watchers.add(watcher)
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
    this.#watchers.delete(watcher)
  }

  #leave(serverId: string): Promise<void> {
    this.#end(serverId, exitKilled)
    this.#guests.delete(serverId)
    return Promise.resolve()
  }

  /** Nothing happens to a guest that does not run, or that is not there. */
  #end(serverId: string, exitCode: number): void {
    const one = this.#guests.get(serverId)
    if (one?.guest.state !== 'running' && one?.guest.state !== 'paused') return
    one.guest = { ...one.guest, state: 'stopped', pid: null, exitCode }
    for (const watcher of this.#watchers) watcher({ guestId: one.guest.guestId, serverId, exitCode })
  }

  #with<T>(serverId: string, work: (one: FakeGuest) => T): Promise<T> {
    return new Promise((resolve) => {
      const one = this.#guests.get(serverId)
      if (!one) throw new NotFound('Guest', serverId)
      resolve(work(one))
    })
  }
}

/** A disk that there is only grows. */
function grown({ rootGiB, ephemeralGiB }: GuestDisks, wantedGiB: number): GuestDisks {
  return { rootGiB, ephemeralGiB: ephemeralGiB === 0 ? 0 : Math.max(ephemeralGiB, wantedGiB) }
}

function notRunning(serverId: string): Conflict {
  return new Conflict(`Guest of server ${serverId} is not running.`)
}

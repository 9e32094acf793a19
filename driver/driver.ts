/** What Berth asks of a hypervisor. The driver knows nothing of databases or HTTP. */
import type { Readable } from 'node:stream'
import type { CpuLimits, DiskSpeeds } from '../core/flavor-limits.ts'
import type { GuestDisk } from './disk.ts'

/** The disks of a guest, as it sees them. */
export interface GuestDisks {
  /** 0 = as large as the file system that it is on */
  readonly rootGiB: number
  /** a disk beside it, empty at first and mounted at /mnt; 0 = none */
  readonly ephemeralGiB: number
}

/** A guest as it is to be made. */
export interface GuestSpec {
  readonly serverId: string
  /** hostname inside the guest, a valid RFC 1123 label or FQDN */
  readonly hostname: string
  /** what to run: an image reference that `ensureImage` returned */
  readonly image: string
  readonly vcpus: number
  /** fixed CPUs such as '0-1' (hw:cpu_policy=dedicated); null = a CFS quota of `vcpus` */
  readonly cpuset: string | null
  /** absent = its CPUs whole, with the usual weight */
  readonly cpu?: CpuLimits
  readonly memoryMiB: number
  readonly pidsLimit: number
  /** root disk limit; null where the storage driver enforces none */
  readonly diskGiB: number | null
  /** absent = a root alone, without a size of its own; a guest that has another one's file system has no ephemeral disk */
  readonly disks?: GuestDisks
  /** the network namespace that the guest's init is to be born into, as an absolute path */
  readonly netnsPath: string
  /** the user namespace that owns `netnsPath`, or null when guests share the host's users */
  readonly usernsPath: string | null
  readonly dns: readonly string[]
  /** lines of /etc/hosts beside localhost */
  readonly hosts: readonly { readonly address: string; readonly names: readonly string[] }[]
  /** files put into the root file system before the first start; paths absolute, modes octal */
  readonly files: readonly {
    readonly path: string
    readonly mode: number
    /** text is written as UTF-8 */
    readonly content: string | Uint8Array
    /** 'debian' = the image's default user (uid 1000), where there is one */
    readonly owner: 'root' | 'debian'
  }[]
  /** where the guest finds the file system of the one that was set aside for it; absent = nowhere */
  readonly asideAt?: string
}

/** What becomes of a file when a disk is captured: 'blank' leaves an empty one. */
export type Fate = 'keep' | 'drop' | 'blank'

/** How a disk is read. */
export interface CaptureOptions {
  /** directory for a copy of the disk while it is read */
  readonly scratch: string
  /** the whole file system, also where the storage driver tells what the guest changed */
  readonly isWhole: boolean
  /** whether the guest is off, and stays so until the archive is read: it is then read without a copy */
  readonly isOff?: boolean
  /** @param path relative to the root, without a slash at either end */
  readonly fateOf: (path: string) => Fate
}

/** A guest's disk, as the uncompressed tar archive of an OCI layer. */
export interface Captured {
  /** all there is, or what the guest changed since its image */
  readonly kind: 'whole' | 'changes'
  readonly archive: Readable
}

export type GuestState = 'created' | 'running' | 'paused' | 'stopped'

/** A guest as it stands. */
export interface Guest {
  /** the driver's own id (a container id) */
  readonly guestId: string
  /** null for a container that is not ours */
  readonly serverId: string | null
  readonly name: string
  readonly state: GuestState
  /** PID 1 as the host sees it; null unless running or paused */
  readonly pid: number | null
  /** 129 = the guest rebooted itself, 130 = it powered itself off; null while running or never run */
  readonly exitCode: number | null
  /** start of the present or last run, or null */
  readonly startedAt: Date | null
  readonly memoryMiB: number
  /** fixed CPUs such as '0-1', or null */
  readonly cpuset: string | null
}

/** PID 1 of a guest ended. */
export interface GuestExit {
  readonly guestId: string
  readonly serverId: string
  readonly exitCode: number
}

/** What a host has for guests, and what its engine can do. */
export interface Capacity {
  readonly vcpus: number
  readonly memoryMiB: number
  readonly diskGiB: number
  readonly hypervisorType: string
  readonly hypervisorVersion: string
  readonly storageDriver: string
  /** of the kernel's control groups: 1 or 2 */
  readonly cgroupVersion: number
  /** whether GuestSpec.diskGiB is enforced */
  readonly enforcesDisk: boolean
  /** the host's uid of the guests' root; 0 = guests share the host's users */
  readonly guestRootUid: number
}

/** What of a guest can change while it stays. */
export interface GuestLimits {
  readonly vcpus: number
  readonly cpuset: string | null
  readonly cpu?: CpuLimits
  readonly memoryMiB: number
  readonly pidsLimit: number
  /** absent = as they are. An ephemeral disk only grows, at the next start; one that the guest was made without it does not get */
  readonly disks?: GuestDisks
}

/** What a running or paused guest has used since its start. */
export interface GuestStats {
  readonly cpuNanoseconds: number
  readonly memoryUsedMiB: number
  readonly memoryLimitMiB: number
  /** of all its disks together */
  readonly disk: {
    readonly readBytes: number
    readonly readRequests: number
    readonly writeBytes: number
    readonly writeRequests: number
  }
  readonly uptimeSeconds: number
}

/** How a command in a guest ended, and what it wrote on both of its outputs. */
export interface ExecResult {
  readonly exitCode: number
  readonly output: string
}

export const exitReboot = 129
export const exitPoweroff = 130

/** A hypervisor. Every implementation keeps the contract of test/contracts/driver.ts. */
export interface ComputeDriver {
  /**
   * Makes the image usable on this host, pulling it from the registry when it is not there.
   *
   * @param reference such as 'localhost:5010/images/debian-12@sha256:...'
   * @returns         the local image id that GuestSpec.image takes
   * @throws          Invalid when the image has no init to boot; Unavailable when the registry does not answer
   */
  ensureImage(reference: string, signal?: AbortSignal): Promise<string>

  /** References, by digest, of all images that are here. */
  images(): Promise<readonly string[]>
  /**
   * The image of this digest leaves the host, under each name that is ours.
   *
   * @returns false when it stays: it is not here, a guest is made of it, or was asked for so lately that one may be
   * @throws  Unavailable
   */
  removeImage(digest: string, isOurs: (reference: string) => boolean): Promise<boolean>
  /** Whether the image of this digest was asked for so lately that a guest may be about to be made of it. */
  holdsImage(digest: string): boolean
  /** Bytes that all images take here, shared layers counted once. */
  imageBytes(): Promise<number>
  /**
   * The whole file system of an image, brought here first where it is not, as the uncompressed archive of one layer. One at a time.
   *
   * @param scratch directory for a copy while it is read
   * @returns       a stream that must be read to its end or destroyed
   */
  captureImage(reference: string, scratch: string): Promise<Readable>
  /** Builds the guest, not started. A guest of this server that is there already is returned as it is. A failed create leaves nothing behind. */
  create(spec: GuestSpec): Promise<Guest>
  /**
   * PID 1 runs when this returns, or has ended by itself with a reboot or power-off. Starting a running guest succeeds.
   * Namespaces are joined anew from the spec at every start.
   *
   * @throws NotFound when there is no guest; Unavailable with the last words of the console when init ended at once
   */
  start(serverId: string): Promise<Guest>
  /** Asks init to power off, kills it after `graceSeconds`. Stopping a stopped or missing guest succeeds. */
  stop(serverId: string, graceSeconds: number): Promise<void>
  /** Kills and deletes the guest and all that the driver made for it. Removing what is missing succeeds. */
  remove(serverId: string): Promise<void>
  /** Pausing a paused guest succeeds. @throws Conflict when it does not run, NotFound when there is none */
  pause(serverId: string): Promise<void>
  /** Unpausing a running guest succeeds. */
  unpause(serverId: string): Promise<void>
  /**
   * Freezes the guest as `pause` does, and takes back what memory the kernel can spare of it: file pages, and the rest where the
   * host has swap. It reads 'paused'. Suspending it again succeeds.
   *
   * @returns MiB that the host has back
   * @throws  Conflict when it does not run, NotFound when there is none
   */
  suspend(serverId: string): Promise<number>
  /** The limits of its memory are as before, and it runs on. Resuming a running guest succeeds. */
  resume(serverId: string): Promise<void>
  /** null when there is no guest of this server */
  inspect(serverId: string): Promise<Guest | null>
  /** every container of the engine, ours and others (serverId null) */
  list(): Promise<readonly Guest[]>
  /** Changes limits of a guest, running or not. */
  setLimits(serverId: string, limits: GuestLimits): Promise<void>
  /**
   * Holds the disk of a running guest to these speeds until it ends: it is to be told again after each start.
   *
   * @throws Conflict when it does not run; Unsupported where this host cannot hold disks back
   */
  setDiskSpeeds(serverId: string, speeds: DiskSpeeds): Promise<void>
  /** Runs a command in the running guest as its root; `input`, if any, is all that it reads. @throws Unavailable when it does not end in time, Conflict when the guest does not run */
  exec(serverId: string, command: readonly string[], timeoutMs: number, input?: string): Promise<ExecResult>
  /**
   * Reads the disk of a guest, running or not. A running one stands still while a copy is made.
   *
   * @returns a stream that must be read to its end or destroyed
   * @throws  NotFound when there is no guest; Unavailable
   */
  capture(serverId: string, options: CaptureOptions): Promise<Captured>
  /** What the guest wrote, file by file; null where this storage driver does not tell, or there is no guest. */
  disk(serverId: string): Promise<GuestDisk | null>
  /**
   * The guest, which must not run, makes room for another one of the same server: nothing but `bringBack`, `dropAside` and `remove`
   * touches it from then on. Where one is aside already, a guest in its place is removed instead.
   *
   * @throws NotFound when there is no guest, Conflict when it runs
   */
  setAside(serverId: string): Promise<void>
  /** Puts the guest that was set aside back into its place; the one there is removed. Does nothing when none is aside. */
  bringBack(serverId: string): Promise<void>
  /** Deletes the guest that was set aside, if any. */
  dropAside(serverId: string): Promise<void>
  /** The last `lines` lines of the console, all when null; text is UTF-8, '' for a guest that never ran. */
  consoleLog(serverId: string, lines: number | null): Promise<string>
  /** Takes away what is left of guests whose removal was broken off. @returns the ids that were theirs */
  sweep(): Promise<readonly string[]>
  /** null when there is no guest of this server, or it is off */
  stats(serverId: string): Promise<GuestStats | null>
  capacity(): Promise<Capacity>
  /** Calls `onExit` for every end of a PID 1 from now on, until `signal` aborts; rejects with Unavailable when the stream breaks. */
  watchExits(onExit: (exit: GuestExit) => void, signal: AbortSignal): Promise<void>
}

/** What guests do to their host, cheap to ask: it is looked at every second. */

/** The file system on which the disks of guests stand. */
export interface DiskRoom {
  readonly path: string
  readonly totalMiB: number
  readonly freeMiB: number
  /** null where the file system has no fixed number of files */
  readonly freeFiles: number | null
}

/** What is left of something that all guests of the host share, where it is tightest. */
export interface Rest {
  /** of the file that tells the limit, or of the control group that has it */
  readonly path: string
  readonly free: number
  readonly total: number
}

/** How often a guest met its limits since it was started. */
export interface LimitHits {
  readonly guestId: string
  /** processes that the kernel killed for want of memory */
  readonly memory: number
  /** processes and threads that it was refused */
  readonly processes: number
}

/** What is left of what all guests of a host share. */
export interface HostStrain {
  /** @throws Unavailable when the hypervisor has not told yet where its disks are */
  room(): Promise<DiskRoom>
  /** MiB that each running guest has written beside its image, by server. Walks their files: not to be asked all the time. */
  writtenMiB(): Promise<ReadonlyMap<string, number>>
  /** Files that each running guest has made beside its image, by server. Walks them too. */
  filesWritten(): Promise<ReadonlyMap<string, number>>
  /** Memory for guests, in MiB. Does not ask the hypervisor. */
  memory(): Promise<Rest>
  /** Processes and threads that guests may still start. Does not ask the hypervisor. */
  processes(): Promise<Rest>
  /** Of every guest that runs. Does not ask the hypervisor. */
  hits(): Promise<readonly LimitHits[]>
}

/** The container that makes a machine of an image: what Docker is asked for. What a guest may do in it stands in docs/guest-image.md. */
import { cpuLimitsOf } from '../../core/flavor-limits.ts'
import { readFileSync } from 'node:fs'
import type { ContainerCreateOptions } from 'dockerode'
import type { GuestSpec } from '../driver.ts'
import type { Mounts } from './lxcfs.ts'

/** What sshd, sudo, ping, cron and init need, and no more; SYS_BOOT makes `reboot` and `poweroff` tell by the exit code. */
const capabilities = [
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'SETGID',
  'SETUID',
  'SETPCAP',
  'NET_BIND_SERVICE',
  'NET_RAW',
  'SYS_CHROOT',
  'AUDIT_WRITE',
  'SETFCAP',
  'SYS_BOOT',
]

export interface ContainerSettings {
  readonly runtime: string
  readonly cgroupParent: string
}

/** holds the server's id */
export const guestLabel = 'berth.server'

/** What Debian gives a log-in, or less where this host itself may not have so much (no CAP_SYS_RESOURCE). */
function openFilesLimit(): number {
  const own = Number(/^Max open files\s+\d+\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1])
  return Math.min(524_288, Number.isNaN(own) ? 524_288 : own)
}

/** What of the host no guest may read: Docker's own list, and the names of the host's disks. */
const maskedPaths = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/partitions',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/sys/devices/virtual/powercap',
  '/sys/firmware',
]

/** The kernel's own default. */
const usualShares = 1024

/** CPU, memory and process limits; the form is the same for create and update. */
export function limitsOf(limits: Pick<GuestSpec, 'vcpus' | 'cpuset' | 'cpu' | 'memoryMiB' | 'pidsLimit'>) {
  const bytes = limits.memoryMiB * 1024 * 1024
  const cpu = limits.cpu ?? cpuLimitsOf({ vcpus: limits.vcpus, extraSpecs: {} })
  return {
    Memory: bytes,
    // The same as Memory: no swap, a guest does not eat the host's disk by its memory.
    MemorySwap: bytes,
    PidsLimit: limits.pidsLimit,
    CpuShares: cpu.shares ?? usualShares,
    CpuPeriod: cpu.periodMicroseconds,
    // CPUs of its own are its own whole.
    CpuQuota: limits.cpuset === null ? cpu.quotaMicroseconds : -1,
    CpusetCpus: limits.cpuset ?? '',
  }
}

export function containerName(serverId: string): string {
  return `berth-${serverId}`
}

/** A guest that was set aside. */
export function asideName(serverId: string): string {
  return `${containerName(serverId)}-aside`
}

/** @param mounts lxcfs's files over /proc, and the file system of the guest that was set aside */
export function containerOf(spec: GuestSpec, settings: ContainerSettings, mounts: Mounts): ContainerCreateOptions {
  const quarter = Math.max(16, Math.floor(spec.memoryMiB / 4))
  return {
    name: containerName(spec.serverId),
    Image: spec.image,
    Hostname: spec.hostname,
    Tty: true,
    OpenStdin: true,
    Env: ['container=docker'],
    Labels: { [guestLabel]: spec.serverId },
    HostConfig: {
      ...limitsOf(spec),
      Runtime: settings.runtime,
      CgroupParent: settings.cgroupParent,
      NetworkMode: 'none',
      RestartPolicy: { Name: 'no' },
      MaskedPaths: maskedPaths,
      CapDrop: ['ALL'],
      CapAdd: capabilities,
      // Without any, Docker would give the guest the host's own resolvers.
      Dns: spec.dns.length > 0 ? [...spec.dns] : ['127.0.0.1'],
      ExtraHosts: spec.hosts.flatMap(({ address, names }) => names.map((name) => `${name}:${address}`)),
      Tmpfs: {
        '/run': `exec,mode=755,size=${quarter}m`,
        '/run/lock': 'size=5m',
        '/tmp': `exec,mode=1777,size=${quarter}m`,
        '/dev/shm': `mode=1777,size=${quarter}m`,
      },
      Mounts: mounts,
      Ulimits: [{ Name: 'nofile', Soft: 1024, Hard: openFilesLimit() }],
      LogConfig: { Type: 'local', Config: { 'max-size': '4m', 'max-file': '2', mode: 'non-blocking' } },
      ...(spec.diskGiB === null ? {} : { StorageOpt: { size: `${spec.diskGiB}G` } }),
    },
  }
}

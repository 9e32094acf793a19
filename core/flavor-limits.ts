/** What Nova's `quota:cpu_*` and `quota:disk_*` of a flavor mean. Source: nova's admin guide, "Resource limits"; cpu and blkio of cgroup-v1. */

type ExtraSpecs = Readonly<Record<string, string>>

/** Of all CPUs of a guest together. */
export interface CpuLimits {
  /** the guest's weight among others where all want to run; null = the usual one */
  readonly shares: number | null
  readonly periodMicroseconds: number
  /** time in each period */
  readonly quotaMicroseconds: number
}

const usualPeriod = 100_000
/** The kernel takes no others. */
const [shortestPeriod, longestPeriod, shortestQuota] = [1000, 1_000_000, 1000]

function positive(extraSpecs: ExtraSpecs, name: string): number | null {
  const value = Number(extraSpecs[name])
  return Number.isSafeInteger(value) && value > 0 ? value : null
}

/** Nova's quota is of one CPU; without one, or with a negative one, the guest has its CPUs whole. */
export function cpuLimitsOf({
  vcpus,
  extraSpecs,
}: {
  readonly vcpus: number
  readonly extraSpecs: ExtraSpecs
}): CpuLimits {
  const wanted = positive(extraSpecs, 'quota:cpu_period') ?? usualPeriod
  const periodMicroseconds = Math.min(longestPeriod, Math.max(shortestPeriod, wanted))
  const quota = Math.min(periodMicroseconds, positive(extraSpecs, 'quota:cpu_quota') ?? periodMicroseconds)
  return {
    shares: positive(extraSpecs, 'quota:cpu_shares'),
    periodMicroseconds,
    quotaMicroseconds: Math.max(shortestQuota, quota * vcpus),
  }
}

/** Per second; null = as fast as the disk is. */
export interface DiskSpeeds {
  readonly readBytes: number | null
  readonly writeBytes: number | null
  readonly readRequests: number | null
  readonly writeRequests: number | null
}

/** A total holds for each direction by itself: the kernel counts them apart. */
export function diskSpeedsOf(extraSpecs: ExtraSpecs): DiskSpeeds {
  const speed = (direction: 'read' | 'write', unit: 'bytes' | 'iops'): number | null =>
    positive(extraSpecs, `quota:disk_${direction}_${unit}_sec`) ?? positive(extraSpecs, `quota:disk_total_${unit}_sec`)
  return {
    readBytes: speed('read', 'bytes'),
    writeBytes: speed('write', 'bytes'),
    readRequests: speed('read', 'iops'),
    writeRequests: speed('write', 'iops'),
  }
}

export function isLimited(speeds: DiskSpeeds): boolean {
  return Object.values(speeds).some((speed) => speed !== null)
}

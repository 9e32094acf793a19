import type { Filter } from '../question.ts'

function lack(
  what: string,
  unit: string,
  { wanted, used, total }: { wanted: number; used: number; total: number },
): string | null {
  const free = Math.floor(total - used)
  return wanted <= free
    ? null
    : `${what}: ${wanted}${unit} wanted, ${Math.max(0, free)}${unit} free of ${Math.floor(total)}${unit}`
}

/** What is promised of each is its size, less what is reserved, times its ratio. */
export const capacity: Filter =
  ({ server: { flavor } }) =>
  (host) =>
    lack('vcpus', '', {
      wanted: flavor.vcpus,
      used: host.usedVcpus,
      total: (host.vcpus - host.reservedVcpus) * host.cpuRatio,
    }) ??
    lack('memory', ' MiB', {
      wanted: flavor.memoryMiB,
      used: host.usedMemoryMiB,
      total: (host.memoryMiB - host.reservedMemoryMiB) * host.memoryRatio,
    }) ??
    lack('disk', ' GiB', {
      wanted: flavor.diskGiB,
      used: host.usedDiskGiB,
      total: (host.diskGiB - host.reservedDiskGiB) * host.diskRatio,
    })

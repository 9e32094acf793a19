import type { HostUse } from '../db/hosts.ts'

/** Spread: the host with the largest share of free memory first, then the one with fewest servers. */
export function weigh(hosts: readonly HostUse[]): readonly HostUse[] {
  const freeShare = (host: HostUse): number => 1 - host.usedMemoryMiB / Math.max(1, host.memoryMiB * host.memoryRatio)
  return hosts.toSorted((a, b) => freeShare(b) - freeShare(a) || a.servers - b.servers || a.name.localeCompare(b.name))
}

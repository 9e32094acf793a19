import type { HostUse } from '../db/hosts.ts'
import type { Neighbours } from './neighbours.ts'

/** What a soft policy of its group wishes first; then spread: the host with the largest share of free memory first, then the one with fewest servers. */
export function weigh(hosts: readonly HostUse[], { group, members }: Neighbours): readonly HostUse[] {
  const freeShare = (host: HostUse): number => 1 - host.usedMemoryMiB / Math.max(1, host.memoryMiB * host.memoryRatio)
  const pull = group?.policy === 'soft-affinity' ? 1 : group?.policy === 'soft-anti-affinity' ? -1 : 0
  const company = ({ name }: HostUse): number => pull * (members.get(name) ?? 0)
  return hosts.toSorted(
    (a, b) =>
      company(b) - company(a) || freeShare(b) - freeShare(a) || a.servers - b.servers || a.name.localeCompare(b.name),
  )
}

import type { Weigher } from '../question.ts'

/** The share of its memory that a host has not yet promised. */
export const freeMemory: Weigher = () => (host) => {
  const total = (host.memoryMiB - host.reservedMemoryMiB) * host.memoryRatio
  return total <= 0 ? 0 : Math.max(0, 1 - host.usedMemoryMiB / total)
}

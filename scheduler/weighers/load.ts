import type { Weigher } from '../question.ts'

/** What is really going on, whatever was promised: the CPUs' queue, or the memory in use if that is the greater share. */
export const load: Weigher = () => (host) => {
  const memory = host.availableMemoryMiB === null ? 0 : 1 - host.availableMemoryMiB / Math.max(1, host.memoryMiB)
  return 1 - Math.min(1, Math.max(0, host.loadPerCpu, memory))
}

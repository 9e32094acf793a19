import { availableParallelism, freemem, loadavg } from 'node:os'
import type { HostLoad } from '../db/hosts.ts'

/** What is going on on the machine, whoever causes it. */
export function loadNow(): HostLoad {
  const [lastMinute = 0] = loadavg()
  return {
    loadPerCpu: lastMinute / Math.max(1, availableParallelism()),
    availableMemoryMiB: Math.floor(freemem() / 1024 / 1024),
  }
}

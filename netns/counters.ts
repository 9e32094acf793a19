/** What has passed through a device of the host. Source: proc(5), /proc/net/dev. */
import { readFile } from 'node:fs/promises'

interface Counted {
  readonly bytes: number
  readonly packets: number
  readonly errors: number
  readonly dropped: number
}

/** As the host's end of the pair counts: what it received, the guest has sent. */
export interface VifCounters {
  readonly received: Counted
  readonly sent: Counted
}

/** Receive and transmit have eight numbers each, and begin with these four. */
function counted([bytes = 0, packets = 0, errors = 0, dropped = 0]: readonly number[]): Counted {
  return { bytes, packets, errors, dropped }
}

/** @returns null when there is no such device */
export async function countersOf(device: string): Promise<VifCounters | null> {
  const lines = (await readFile('/proc/net/dev', 'utf8')).split('\n').map((line) => line.trim())
  const line = lines.find((one) => one.startsWith(`${device}:`))
  if (line === undefined) return null
  const numbers = line
    .slice(device.length + 1)
    .trim()
    .split(/\s+/)
    .map(Number)
  return { received: counted(numbers), sent: counted(numbers.slice(8)) }
}

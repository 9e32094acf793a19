/** What has passed through a device of the host. Source: proc(5), /proc/net/dev. */
import { readFileSync } from 'node:fs'
import { withNamespace } from './namespace.ts'

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

function devicesText(netnsPath: string | null): string {
  const read = (): string => readFileSync('/proc/thread-self/net/dev', 'utf8')
  return netnsPath === null ? read() : withNamespace(netnsPath, read)
}

/**
 * @param netnsPath where the device is; null = the host
 * @returns null when there is no such device
 */
export function countersOf(device: string, netnsPath: string | null): VifCounters | null {
  const lines = devicesText(netnsPath)
    .split('\n')
    .map((line) => line.trim())
  const line = lines.find((one) => one.startsWith(`${device}:`))
  if (line === undefined) return null
  const numbers = line
    .slice(device.length + 1)
    .trim()
    .split(/\s+/)
    .map(Number)
  return { received: counted(numbers), sent: counted(numbers.slice(8)) }
}

/** What a guest has used, by the kernel's own counters. Source: cgroup-v1 cpuacct, memory, blkio-controller; cgroup-v2. */
import type { Guest, GuestStats } from '../driver.ts'
import { groupOf, readGroup, readGroupIfAny } from './cgroup.ts'

const mib = 1024 * 1024

async function cpuNanoseconds(pid: number): Promise<number> {
  const group = await groupOf(pid, 'cpuacct')
  if (!group.isUnified) return Number(await readGroup(group, 'cpuacct.usage'))
  return Number(/^usage_usec (\d+)/m.exec(await readGroup(group, 'cpu.stat'))?.[1] ?? 0) * 1000
}

async function memoryUsedMiB(pid: number): Promise<number> {
  const group = await groupOf(pid, 'memory')
  const bytes = Number(await readGroup(group, group.isUnified ? 'memory.current' : 'memory.usage_in_bytes'))
  return Math.ceil(bytes / mib)
}

/** The sum over all devices of lines such as '254:0 Read 4096'. */
function sumOfLines(text: string, operation: 'Read' | 'Write'): number {
  const values = text.matchAll(new RegExp(`^\\d+:\\d+ ${operation} (\\d+)$`, 'gm'))
  return [...values].reduce((sum, [, value]) => sum + Number(value), 0)
}

/** The sum over all devices of pairs such as 'rbytes=4096'. */
function sumOfPairs(text: string, key: string): number {
  return [...text.matchAll(new RegExp(`\\b${key}=(\\d+)`, 'g'))].reduce((sum, [, value]) => sum + Number(value), 0)
}

async function disk(pid: number): Promise<GuestStats['disk']> {
  const group = await groupOf(pid, 'blkio')
  if (group.isUnified) {
    const text = await readGroupIfAny(group, 'io.stat')
    const [readBytes, readRequests] = [sumOfPairs(text, 'rbytes'), sumOfPairs(text, 'rios')]
    return { readBytes, readRequests, writeBytes: sumOfPairs(text, 'wbytes'), writeRequests: sumOfPairs(text, 'wios') }
  }
  const bytes = await readGroupIfAny(group, 'blkio.throttle.io_service_bytes_recursive')
  const requests = await readGroupIfAny(group, 'blkio.throttle.io_serviced_recursive')
  const [readBytes, readRequests] = [sumOfLines(bytes, 'Read'), sumOfLines(requests, 'Read')]
  return {
    readBytes,
    readRequests,
    writeBytes: sumOfLines(bytes, 'Write'),
    writeRequests: sumOfLines(requests, 'Write'),
  }
}

/** @param pid its PID 1, as the host sees it */
export async function statsOf({ memoryMiB, startedAt }: Guest, pid: number): Promise<GuestStats> {
  const [cpu, memory, disks] = await Promise.all([cpuNanoseconds(pid), memoryUsedMiB(pid), disk(pid)])
  const uptimeSeconds = startedAt === null ? 0 : Math.max(0, Math.floor((Date.now() - startedAt.getTime()) / 1000))
  return { cpuNanoseconds: cpu, memoryUsedMiB: memory, memoryLimitMiB: memoryMiB, disk: disks, uptimeSeconds }
}

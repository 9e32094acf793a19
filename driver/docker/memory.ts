/** What a frozen guest's memory may do: be swapped out while it stands still, and only then. */
import { hasCode } from '../../core/errors.ts'
import { groupOf, readGroup, writeGroup, type Group } from './cgroup.ts'

const mib = 1024 * 1024

async function usedBytes(group: Group): Promise<number> {
  return Number(await readGroup(group, group.isUnified ? 'memory.current' : 'memory.usage_in_bytes'))
}

/** cgroup v2 says EAGAIN when it could not take back as much as was asked for: what it could is taken. */
function isPartly(error: unknown): boolean {
  return hasCode(error, 'EAGAIN', 'EBUSY')
}

async function takeBack(group: Group, bytes: number): Promise<void> {
  try {
    if (group.isUnified) await writeGroup(group, 'memory.reclaim', String(bytes))
    else await writeGroup(group, 'memory.force_empty', '0')
  } catch (error) {
    if (!isPartly(error)) throw error
  }
}

/**
 * Takes back the memory of a frozen guest as far as the kernel can: file pages, and the rest into the host's swap if it has any.
 *
 * @returns MiB that the host has back
 */
export async function reclaimMemory(pid: number): Promise<number> {
  const group = await groupOf(pid, 'memory')
  const before = await usedBytes(group)
  if (group.isUnified) await writeGroup(group, 'memory.swap.max', 'max')
  else await writeGroup(group, 'memory.memsw.limit_in_bytes', '-1')
  await takeBack(group, before)
  return Math.max(0, Math.round((before - (await usedBytes(group))) / mib))
}

/** A guest that runs does not swap. To be called while it is still frozen: its memory and swap together are no more than its limit. */
export async function forbidSwap(pid: number, memoryMiB: number): Promise<void> {
  const group = await groupOf(pid, 'memory')
  if (group.isUnified) await writeGroup(group, 'memory.swap.max', '0')
  else await writeGroup(group, 'memory.memsw.limit_in_bytes', String(memoryMiB * mib))
}

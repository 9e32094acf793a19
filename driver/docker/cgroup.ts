/** The control groups of a guest, as the kernel shows them to the host. Source: cgroups(7), cgroup-v1 and cgroup-v2 of the kernel. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { hasCode } from '../../core/errors.ts'

const root = '/sys/fs/cgroup'

export type Controller = 'memory' | 'cpuacct' | 'blkio'

/** Where a process's part of a controller stands. `isUnified`: cgroup v2, where the files have other names. */
export interface Group {
  readonly path: string
  readonly isUnified: boolean
}

/** @param pid PID 1 of the guest, as the host sees it */
export async function groupOf(pid: number, controller: Controller): Promise<Group> {
  const lines = (await readFile(`/proc/${pid}/cgroup`, 'utf8')).trim().split('\n')
  const entries = lines.map((line) => /^\d+:([^:]*):(.*)$/.exec(line))
  const own = entries.find((entry) => entry?.[1]?.split(',').includes(controller))
  if (own) return { path: join(root, own[1] ?? '', insideOf(own[2])), isUnified: false }
  const unified = entries.find((entry) => entry?.[1] === '')
  return { path: join(root, insideOf(unified?.[2])), isUnified: true }
}

/** systemd in the guest moves its PID 1 into a child group; limits and counters are those of the guest's own group. */
function insideOf(path = '/'): string {
  return path.replace(/\/init\.scope$/, '')
}

export async function readGroup({ path }: Group, file: string): Promise<string> {
  return (await readFile(join(path, file), 'utf8')).trim()
}

/** '' where the kernel does not count it. */
export async function readGroupIfAny(group: Group, file: string): Promise<string> {
  try {
    return await readGroup(group, file)
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return ''
    throw error
  }
}

export async function writeGroup({ path }: Group, file: string, value: string): Promise<void> {
  await writeFile(join(path, file), value)
}

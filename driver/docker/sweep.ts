/** What an engine or an agent that was killed in the middle of a removal leaves of a container: its spec for the runtime, its control groups, its shim. */
import { existsSync, readdirSync, readFileSync, rmdirSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { kill } from 'node:process'
import { hasCode } from '../../core/errors.ts'
import { removeOciSpec } from './oci-spec.ts'

const root = '/sys/fs/cgroup'
const containerId = /^[0-9a-f]{64}$/

function directoriesIn(directory: string): readonly string[] {
  if (!existsSync(directory)) return []
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []))
}

/** Ids of containers that have a group below the parent, in any hierarchy. */
function idsOfGroups(parent: string): readonly string[] {
  const all = ['', ...directoriesIn(root)].flatMap((hierarchy) => directoriesIn(join(root, hierarchy, parent)))
  return all.filter((name) => containerId.test(name))
}

async function idsOfSpecs(directory: string): Promise<readonly string[]> {
  return existsSync(directory) ? (await readdir(directory)).filter((name) => containerId.test(name)) : []
}

/** The group, and those that the guest's init made in it, from the bottom. */
function groupsBelow(directory: string): readonly string[] {
  return [...directoriesIn(directory).flatMap((name) => groupsBelow(join(directory, name))), directory]
}

/** A container's groups in every hierarchy. */
function groupsOf(parent: string, id: string): readonly string[] {
  const roots = ['', ...directoriesIn(root)].map((hierarchy) => join(root, hierarchy, parent, id))
  return roots.filter(existsSync).flatMap(groupsBelow)
}

function isEmpty(group: string): boolean {
  return readFileSync(join(group, 'cgroup.procs'), 'utf8').trim() === ''
}

/** The words that a process was started by; none when it is gone. */
function wordsOf(pid: string): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ESRCH')) return []
    throw error
  }
}

/** The process beside each container; an engine that is killed while it starts one leaves it without a container. */
function shims(): readonly { readonly pid: number; readonly id: string }[] {
  return readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return []
    const [program = '', ...words] = wordsOf(pid)
    const id = words[words.indexOf('-id') + 1]
    return basename(program).startsWith('containerd-shim') && id !== undefined ? [{ pid: Number(pid), id }] : []
  })
}

function endShims(id: string): void {
  for (const { pid } of shims().filter((shim) => shim.id === id)) {
    try {
      kill(pid, 'SIGKILL')
    } catch (error) {
      if (!hasCode(error, 'ESRCH')) throw error
    }
  }
}

/**
 * Takes away what is of no container. What still runs is left alone: an engine that forgot it may have been given other data.
 *
 * @param known the ids that the engine has; asked after the look, since a container is known before its spec or group is made
 * @returns the ids whose remains are gone
 */
export async function sweepRemains(
  { ociDirectory, cgroupParent }: { readonly ociDirectory: string; readonly cgroupParent: string },
  known: () => Promise<ReadonlySet<string>>,
): Promise<readonly string[]> {
  const found = new Set([...idsOfGroups(cgroupParent), ...(await idsOfSpecs(ociDirectory))])
  if (found.size === 0) return []
  const present = await known()
  const swept: string[] = []
  for (const id of [...found].filter((one) => !present.has(one))) {
    const groups = groupsOf(cgroupParent, id)
    if (!groups.every(isEmpty)) continue
    endShims(id)
    groups.forEach((group) => {
      rmdirSync(group)
    })
    await removeOciSpec(ociDirectory, id)
    swept.push(id)
  }
  return swept
}

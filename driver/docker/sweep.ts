/** What an engine or an agent that was killed in the middle of a removal leaves of a container: its spec for the runtime, its control groups, its shim. */
import { existsSync, readdirSync, readFileSync, rmdirSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { hasCode } from '../../core/errors.ts'
import { removeOciSpec } from './oci-spec.ts'
import { endShims } from './shims.ts'

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

/** Whoever cleans up behind a shim that ended may have been quicker. */
function removeGroup(group: string): void {
  try {
    rmdirSync(group)
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error
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
    groups.forEach(removeGroup)
    await removeOciSpec(ociDirectory, id)
    swept.push(id)
  }
  return swept
}

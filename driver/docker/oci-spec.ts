/** What the runtime wrapper reads at a container's start: which namespaces the guest is born into. */
import { access, mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { hasCode, Invalid } from '../../core/errors.ts'

export interface OciSpec {
  readonly netns: string
  readonly userns: string | null
  readonly systemdCgroup: boolean
}

/** What the wrapper can put into JSON and into sed as it is. */
const plainPath = /^\/[\w./@:+-]+$/

function pathOf(directory: string, containerId: string): string {
  return join(directory, containerId)
}

function linesOf({ netns, userns, systemdCgroup }: OciSpec): string {
  for (const path of [netns, userns])
    if (path !== null && !plainPath.test(path)) throw new Invalid(`A namespace cannot stand at '${path}'.`)
  return [
    `netns=${netns}`,
    ...(userns === null ? [] : [`userns=${userns}`]),
    `systemdCgroup=${systemdCgroup}`,
    '',
  ].join('\n')
}

/** Written beside and renamed: the wrapper sees all of it or none. */
export async function writeOciSpec(directory: string, containerId: string, spec: OciSpec): Promise<void> {
  await mkdir(directory, { recursive: true })
  const path = pathOf(directory, containerId)
  await writeFile(`${path}.part`, linesOf(spec))
  await rename(`${path}.part`, path)
}

export async function removeOciSpec(directory: string, containerId: string): Promise<void> {
  await rm(pathOf(directory, containerId), { force: true })
}

/** Whether a container's spec was ever written: it is, as the last step of making a guest. */
export async function hasOciSpec(directory: string, containerId: string): Promise<boolean> {
  try {
    await access(pathOf(directory, containerId))
    return true
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false
    throw error
  }
}

import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { hasCode } from '../../core/errors.ts'
import type { Check, Drift, Scene } from '../check.ts'

/** What is being written is younger. */
const unfinishedMs = 600_000

async function entries(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory)
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return []
    throw error
  }
}

function strayFile(path: string, of: string): Drift {
  const remedy = 'it is removed'
  return { text: `${path} is of no ${of}`, remedy, repair: () => rm(path, { recursive: true, force: true }) }
}

/** Files are written beside and renamed: one that kept its first name was being written when its writer was killed. */
async function unfinished(directory: string): Promise<readonly Drift[]> {
  return await oldOnes(directory, (name) => /\.(part|new)$/.test(name))
}

/** Copies of disks, while no server of this host has a task that would need one. */
async function unused(directory: string): Promise<readonly Drift[]> {
  return await oldOnes(directory, () => true)
}

async function oldOnes(directory: string, isMeant: (name: string) => boolean): Promise<readonly Drift[]> {
  const names = (await entries(directory)).filter(isMeant)
  const old = await Promise.all(
    names.map(async (name) => {
      const found = await stat(join(directory, name)).catch(() => null)
      return found && Date.now() - found.mtimeMs > unfinishedMs ? [join(directory, name)] : []
    }),
  )
  return old.flat().map((path) => ({
    text: `${path} was never finished`,
    remedy: 'it is removed',
    repair: () => rm(path, { recursive: true, force: true }),
  }))
}

export const files: Check = {
  name: 'files',
  holds: 'each file of a guest is of a guest that is there, and nothing half-written is left',
  async run({ config, servers, leaving, guests }: Scene) {
    const [specs, runtime] = [join(config.home, 'guests'), join(config.home, 'run', 'oci')]
    const [known, containers] = [
      new Set([...servers.map(({ id }) => id), ...leaving]),
      new Set(guests.map(({ guestId }) => guestId)),
    ]
    const straySpecs = (await entries(specs)).filter((name) => !known.has(name))
    const strayRuntime = (await entries(runtime)).filter((name) => !name.endsWith('.part') && !containers.has(name))
    const captures = join(config.home, 'run', 'capture')
    return [
      ...straySpecs.map((name) => strayFile(join(specs, name), 'server of this host')),
      ...strayRuntime.map((name) => strayFile(join(runtime, name), 'container')),
      ...(await unfinished(runtime)),
      ...(await unfinished(join(config.home, 'run'))),
      ...(servers.some(({ taskState }) => taskState !== null) ? [] : await unused(join(captures, config.hostName))),
    ]
  },
}

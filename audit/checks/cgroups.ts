import { existsSync, readdirSync, readFileSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Check } from '../check.ts'

const root = '/sys/fs/cgroup'

/** The kernel removes the directory of a group that has no process in it, and refuses otherwise. */
function removeGroup(directory: string): void {
  if (!existsSync(directory)) return
  for (const entry of readdirSync(directory, { withFileTypes: true }))
    if (entry.isDirectory()) removeGroup(join(directory, entry.name))
  rmdirSync(directory)
}

/** In the group itself and below it. */
function processes(directory: string): number {
  if (!existsSync(directory)) return 0
  const own = readFileSync(join(directory, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).length
  const below = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  return below.reduce((sum, { name }) => sum + processes(join(directory, name)), own)
}

/** Every group below our parent, in each hierarchy. */
function groups(prefix: string): readonly { readonly name: string; readonly directory: string }[] {
  return ['', ...readdirSync(root)].flatMap((hierarchy) => {
    const parent = join(root, hierarchy, prefix)
    if (!existsSync(parent)) return []
    const entries = readdirSync(parent, { withFileTypes: true }).filter((entry) => entry.isDirectory())
    return entries.map(({ name }) => ({ name, directory: join(parent, name) }))
  })
}

export const cgroups: Check = {
  name: 'cgroups',
  holds: 'each control group is of a container',
  run({ config, guests }) {
    const known = new Set(guests.map(({ guestId }) => guestId))
    const stray = groups(config.namePrefix).filter(({ name }) => /^[0-9a-f]{64}$/.test(name) && !known.has(name))
    return Promise.resolve(
      stray.map(({ directory }) => ({
        text: `control group ${directory} is of no container, ${processes(directory)} processes are in it`,
        remedy: 'it is removed when no process is in it',
        repair: () => removeGroup(directory),
      })),
    )
  },
}

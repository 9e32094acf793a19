/** Kernel settings that many machines on one kernel need, raised while the cloud is installed. Source: docs/operations.md. */
import { existsSync } from 'node:fs'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { Site } from './parts/part.ts'

/** The least value of each; a machine that has more keeps it. */
const least: Readonly<Record<string, number>> = {
  // Each systemd guest takes about five instances, and all guests of one mapped root share one user's limit of 128.
  'fs.inotify.max_user_instances': 65_536,
  'fs.inotify.max_user_watches': 1_048_576,
  'kernel.keys.maxkeys': 20_000,
  'kernel.keys.maxbytes': 2_000_000,
  'net.ipv4.neigh.default.gc_thresh1': 4096,
  'net.ipv4.neigh.default.gc_thresh2': 8192,
  'net.ipv4.neigh.default.gc_thresh3': 16_384,
  'kernel.pid_max': 4_194_304,
}

const saved = z.record(z.string(), z.string())

function procPath(name: string): string {
  return join('/proc/sys', ...name.split('.'))
}

function filePath({ config }: Site): string {
  return `/etc/sysctl.d/90-${config.namePrefix}.conf`
}

function savedPath({ layout }: Site): string {
  return join(layout.home, 'sysctl-before.json')
}

async function read(name: string): Promise<string | null> {
  return existsSync(procPath(name)) ? (await readFile(procPath(name), 'utf8')).trim() : null
}

/** Settings that are too low here, with their present value. */
export async function lowSettings(): Promise<
  readonly { readonly name: string; readonly value: string; readonly wanted: number }[]
> {
  const all = await Promise.all(
    Object.entries(least).map(async ([name, wanted]) => ({ name, wanted, value: await read(name) })),
  )
  return all.flatMap(({ name, wanted, value }) =>
    value === null || Number(value) >= wanted ? [] : [{ name, wanted, value }],
  )
}

/** Raises what is too low, remembers what was there, and says so under /etc/sysctl.d for the next boot. */
export async function raiseSettings(site: Site): Promise<readonly string[]> {
  const low = await lowSettings()
  if (low.length === 0) return []
  const path = savedPath(site)
  const before = existsSync(path) ? saved.parse(JSON.parse(await readFile(path, 'utf8'))) : {}
  for (const { name, value } of low) before[name] ??= value
  await writeFile(path, JSON.stringify(before))
  for (const { name, wanted } of low) await writeFile(procPath(name), String(wanted))
  const lines = Object.entries(least).map(([name, value]) => `${name} = ${value}`)
  await writeFile(
    filePath(site),
    `# Of berth: many machines on one kernel. Removed by: berth down --purge\n${lines.join('\n')}\n`,
  )
  return low.map(({ name }) => name)
}

/** Puts back what raiseSettings found. */
export async function restoreSettings(site: Site): Promise<void> {
  await rm(filePath(site), { force: true })
  const path = savedPath(site)
  if (!existsSync(path)) return
  for (const [name, value] of Object.entries(saved.parse(JSON.parse(await readFile(path, 'utf8')))))
    await writeFile(procPath(name), value)
  await rm(path, { force: true })
}

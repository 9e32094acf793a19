/** Homes of test runs: each of its own, and gone with its run, even when that was killed. */
import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { mkdir, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { loadConfig } from '../core/config.ts'
import { restoreSettings } from './host-settings.ts'
import { hostsBeside } from './hosts.ts'
import { layoutOf } from './layout.ts'
import type { Site } from './parts/part.ts'
import { identify, isAlive } from './process.ts'
import { removeCgroups } from './purge.ts'
import { until } from './until.ts'

const parent = '/tmp'
const nameStart = 'berth-test-'
/** A home without an owner this long after it was made lost it to a kill. */
const ownerlessMs = 60_000

/** The site of a test home. Its prefix follows from its name, so that what a killed run left can be told. */
function siteAt(name: string): Site {
  const home = join(parent, name)
  const config = loadConfig({ BERTH_HOME: home, BERTH_NAME_PREFIX: `t${name.slice(nameStart.length)}` })
  return { config, layout: layoutOf(home) }
}

function ownerPath(home: string): string {
  return join(home, 'owner')
}

/** A pid means something in one pid namespace only. */
function pidNamespace(): string {
  return readlinkSync('/proc/self/ns/pid')
}

/** A fresh home, owned by this process. */
export async function makeTestHome(): Promise<Site> {
  const site = siteAt(`${nameStart}${randomBytes(4).toString('hex')}`)
  const self = identify(process.pid)
  // The unprivileged Postgres walks through it.
  for (const directory of [site.layout.home, site.layout.run, site.layout.log, join(site.layout.home, 'tmp')])
    await mkdir(directory, { mode: 0o755 })
  await writeFile(ownerPath(site.layout.home), self ? `${self.pid} ${self.startTime} ${pidNamespace()}` : '')
  return site
}

/** The home and what the kernel keeps of its guests go. Its processes have ended before. */
export async function removeTestHome(site: Site): Promise<void> {
  await restoreSettings(site)
  await until(`removal of the groups of ${site.config.namePrefix}`, 20_000, () => {
    for (const { config } of [site, ...hostsBeside(site)]) removeCgroups(config.namePrefix)
    return Promise.resolve(true)
  })
  await rm(site.layout.home, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 })
}

async function isAbandoned({ layout }: Site): Promise<boolean> {
  const path = ownerPath(layout.home)
  if (!existsSync(path)) return Date.now() - (await stat(layout.home)).mtimeMs > ownerlessMs
  const [pid, startTime, namespace] = readFileSync(path, 'utf8').split(' ')
  return namespace === pidNamespace() && !isAlive({ pid: Number(pid), startTime: startTime ?? '' })
}

/** Removes what killed runs left. @returns how many */
export async function removeAbandonedHomes(): Promise<number> {
  const names = readdirSync(parent).filter((name) => /^berth-test-[0-9a-f]{8}$/.test(name))
  let removed = 0
  for (const site of names.map(siteAt)) {
    if (!(await isAbandoned(site))) continue
    await removeTestHome(site)
    removed += 1
  }
  return removed
}

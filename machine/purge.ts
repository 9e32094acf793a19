/** After this nothing of ours is left: no container, cgroup, namespace, port, mount, process, user or file. */
import { existsSync, readdirSync, rmdirSync } from 'node:fs'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import type { Config } from '../core/config.ts'
import { Bridge } from '../netns/bridge.ts'
import { down, driverOf, engineSocket } from './down.ts'
import { restoreSettings } from './host-settings.ts'
import { imageCache, layoutOf } from './layout.ts'
import { guestUser } from './parts/docker.ts'
import type { Site } from './parts/part.ts'
import { postgresUser } from './parts/postgres.ts'
import { step } from './progress.ts'
import { removeUser } from './users.ts'

async function removeGuests(site: Site): Promise<void> {
  const socketPath = await engineSocket(site)
  if (socketPath === null) return
  const driver = driverOf(site, socketPath)
  for (const { serverId } of await driver.list()) if (serverId !== null) await driver.remove(serverId)
}

/** A bridge of ours in an Open vSwitch that is not. */
async function removeBridge({ config }: Site): Promise<void> {
  const socket = config.ovsSocket ?? '/var/run/openvswitch/db.sock'
  if (!existsSync(socket)) return
  const bridge = new Bridge(socket, config.bridge, config.namePrefix)
  try {
    await bridge.destroy()
  } finally {
    bridge.close()
  }
}

async function unmountAll(home: string): Promise<void> {
  const mounts = (await readFile('/proc/mounts', 'utf8')).split('\n').flatMap((line) => line.split(' ')[1] ?? [])
  for (const path of mounts.filter((one) => one.startsWith(`${home}/`)).toReversed()) {
    await execa('umount', ['--lazy', path.replaceAll('\\040', ' ')], { timeout: 10_000, reject: false })
  }
}

function removeTree(directory: string): void {
  for (const entry of readdirSync(directory, { withFileTypes: true }))
    if (entry.isDirectory()) removeTree(join(directory, entry.name))
  rmdirSync(directory)
}

/** The kernel removes the directory of a group that has no process in it. */
export function removeCgroups(prefix: string): void {
  const root = '/sys/fs/cgroup'
  for (const hierarchy of ['', ...readdirSync(root)]) {
    const directory = join(root, hierarchy, prefix)
    if (existsSync(directory)) removeTree(directory)
  }
}

async function forgetIds(path: string, user: string): Promise<void> {
  if (!existsSync(path)) return
  const lines = (await readFile(path, 'utf8')).split('\n')
  await writeFile(path, lines.filter((line) => !line.startsWith(`${user}:`)).join('\n'))
}

/** @param cache whether the built guest images, which other homes of this machine share, go too */
export async function purge(config: Config, { cache }: { readonly cache: boolean }): Promise<void> {
  const site: Site = { config, layout: layoutOf(config.home) }
  await step('containers', () => removeGuests(site))
  await down(config, { keepGuests: false })
  await step('purge', async () => {
    await removeBridge(site)
    await unmountAll(config.home)
    removeCgroups(config.namePrefix)
    await restoreSettings(site)
    for (const path of ['/etc/subuid', '/etc/subgid']) await forgetIds(path, guestUser(site))
    await removeUser(guestUser(site))
    await removeUser(postgresUser(site))
    await rm(config.home, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
    if (cache) await rm(imageCache, { recursive: true, force: true })
  })
}

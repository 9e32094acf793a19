/** After this nothing of ours is left: no container, cgroup, namespace, port, mount, process, user or file. */
import { existsSync, readdirSync, rmdirSync } from 'node:fs'
import { readFile, readlink, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { execa } from 'execa'
import type { Config } from '../core/config.ts'
import { usualHome } from '../core/settings/cloud.ts'
import { Unavailable } from '../core/errors.ts'
import { Bridge } from '../netns/bridge.ts'
import { removeBridges } from '../netns/remove-bridges.ts'
import { RtNetlink } from '../netns/rtnetlink.ts'
import { down, driverOf, engineSocket, guestsOf, stopServices } from './down.ts'
import { restoreSettings } from './host-settings.ts'
import { hostsBeside } from './hosts.ts'
import { imageCache, layoutOf } from './layout.ts'
import { guestUser } from './parts/docker.ts'
import { devicesOfSwitch } from './parts/openvswitch.ts'
import { at, type Site } from './parts/part.ts'
import { forgetRegistry } from './parts/registry.ts'
import { postgresUser } from './parts/postgres.ts'
import { step } from './progress.ts'
import { removeUser } from './users.ts'

async function removeGuests(site: Site): Promise<void> {
  const socketPath = await engineSocket(site)
  if (socketPath === null) return
  const driver = driverOf(site, socketPath)
  for (const { serverId } of await guestsOf(site, socketPath)) await driver.remove(serverId)
}

/** Our bridge goes with its devices while its switch still runs: in the given Open vSwitch, or in ours. */
async function removeBridge({ config, layout }: Site): Promise<void> {
  if (config.switchNamespace === null) await removeBridges(config.namePrefix)
  const ours = join(layout.run, 'openvswitch', 'db.sock')
  const theirs = config.switchNamespace === null ? [config.ovsSocket ?? '/var/run/openvswitch/db.sock'] : []
  for (const socket of [ours, ...theirs]) {
    if (!existsSync(socket)) continue
    const bridge = new Bridge(socket, config.bridge, config.namePrefix)
    try {
      await bridge.destroy()
    } catch (error) {
      // A socket that a dead server left: its devices are swept below.
      if (!(error instanceof Unavailable)) throw error
    } finally {
      bridge.close()
    }
  }
}

/** The namespace of a process's network, as the kernel names it. */
async function netOf(pid: string): Promise<string> {
  return await readlink(`/proc/${pid}/ns/net`).catch(() => '')
}

/** A switch that ended leaves the device of its userspace datapath: it goes when no other switch of this network can have made it. */
async function removeDatapathDevice(): Promise<void> {
  const here = await netOf('self')
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  for (const pid of pids) {
    const name = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')
    if (name.trim() === 'ovs-vswitchd' && (await netOf(pid)) === here) return
  }
  using links = new RtNetlink(null)
  await links.deleteLink('ovs-netdev')
}

/** A userspace switch that was killed leaves its taps. In a namespace of its own they go with that. */
async function removeDevices({ config }: Site, names: readonly string[]): Promise<void> {
  if (config.switchNamespace !== null) return
  using links = new RtNetlink(null)
  for (const name of names) await links.deleteLink(name)
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

/** The built guest images, which all homes of this machine share, go with the usual one. */
export async function purge(config: Config): Promise<void> {
  const site: Site = { config, layout: layoutOf(config.home) }
  for (const host of hostsBeside(site)) await purge(host.config)
  await stopServices(site)
  const devices = await devicesOfSwitch(site)
  await step(at(site, 'containers'), async () => {
    await removeGuests(site)
    await removeBridge(site)
  })
  await down(config, { keepGuests: false })
  await step(at(site, 'purge'), async () => {
    await removeDevices(site, devices)
    await removeDatapathDevice()
    await unmountAll(config.home)
    removeCgroups(config.namePrefix)
    await restoreSettings(site)
    await forgetRegistry(site)
    for (const path of ['/etc/subuid', '/etc/subgid']) await forgetIds(path, guestUser(site))
    await removeUser(guestUser(site))
    await removeUser(postgresUser(site))
    await rm(config.home, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
    if (config.home === usualHome) await rm(dirname(imageCache), { recursive: true, force: true })
  })
}

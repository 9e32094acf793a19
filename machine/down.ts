/** Takes the cloud down; guests that ran are remembered, and run again after the next up. */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import type { Config } from '../core/config.ts'
import type { Guest } from '../driver/driver.ts'
import { DockerDriver } from '../driver/docker/driver.ts'
import { gatewayNamespaces, removeAllNamespaces } from '../netns/namespace.ts'
import { hostsBeside, removeSwitchNamespace } from './hosts.ts'
import { layoutOf } from './layout.ts'
import { dockerInfo, misfits } from './parts/docker.ts'
import { at, type Site } from './parts/part.ts'
import { end, fromPidFile, type ProcessId } from './process.ts'
import { step } from './progress.ts'
import { isOfService } from './services.ts'
import { ask } from './supervisor-protocol.ts'
import { keptParts } from './supervision.ts'
import { separateHosts } from './underlay.ts'

/** In this order: who uses a part stops before it. */
const guestParts = ['docker', 'ovs-vswitchd', 'ovsdb-server', 'lxcfs'] as const
const otherParts = ['registry-mirror', 'registry', 'postgres'] as const

/** The engine that holds our guests, ours or the given one; null when none answers. */
export async function engineSocket(site: Site): Promise<string | null> {
  const given = site.config.dockerHost?.replace(/^unix:\/\//, '') ?? '/var/run/docker.sock'
  // Hosts that share a machine share no engine.
  const theirs = site.config.switchNamespace === null ? [given] : []
  for (const socketPath of [join(site.layout.run, 'docker.sock'), ...theirs]) {
    const info = await dockerInfo(socketPath).catch(() => null)
    if (info && misfits(info).length === 0) return socketPath
  }
  return null
}

export function driverOf(site: Site, socketPath: string): DockerDriver {
  const ociDirectory = join(site.layout.run, 'oci')
  return new DockerDriver({
    socketPath,
    ociDirectory,
    runtime: 'berth',
    cgroupParent: `/${site.config.namePrefix}`,
    lxcfsDir: null,
  })
}

function netnsDirectory({ layout }: Site): string {
  return join(layout.run, 'netns')
}

/** The guests of this home. An engine of its own has no others; on a given one those of another home may stand beside them. */
export async function guestsOf(site: Site, socketPath: string): Promise<readonly (Guest & { serverId: string })[]> {
  const driver = driverOf(site, socketPath)
  const isOwnEngine = socketPath.startsWith(join(site.layout.run, '/'))
  const own = isOwnEngine ? null : await driver.serversIn(netnsDirectory(site))
  return (await driver.list()).flatMap(({ serverId, ...guest }) =>
    serverId !== null && (own?.has(serverId) ?? true) ? [{ ...guest, serverId }] : [],
  )
}

/** Who ran is written down, beside those whom an earlier `down` noted and no `up` has started again. */
function noteRunning({ layout }: Site, running: readonly string[]): void {
  const path = join(layout.run, 'held-guests.json')
  const before = existsSync(path) ? z.array(z.string()).parse(JSON.parse(readFileSync(path, 'utf8'))) : []
  mkdirSync(layout.run, { recursive: true })
  writeFileSync(`${path}.new`, JSON.stringify([...new Set([...before, ...running])]))
  renameSync(`${path}.new`, path)
}

/** Guests shut down as by a power button; after the next up they run again. */
async function stopGuests(site: Site): Promise<number> {
  const socketPath = await engineSocket(site)
  if (socketPath === null) return 0
  const driver = driverOf(site, socketPath)
  const running = (await guestsOf(site, socketPath)).flatMap(({ serverId, state }) =>
    state !== 'stopped' && state !== 'created' ? [serverId] : [],
  )
  noteRunning(site, running)
  for (let i = 0; i < running.length; i += 8) {
    await Promise.all(running.slice(i, i + 8).map((serverId) => driver.stop(serverId, site.config.stopGraceSeconds)))
  }
  return running.length
}

async function stopPart(site: Site, name: string): Promise<void> {
  await ask(site.layout.supervisorSocket, { op: 'stop', name })
}

/** api, scheduler and agent end: from here on nobody makes rows true. */
export async function stopServices(site: Site): Promise<void> {
  const services = [...((await keptParts(site))?.keys() ?? [])].filter(isOfService)
  if (services.length === 0) return
  await step(at(site, 'services'), async () => {
    for (const name of services) await stopPart(site, name)
  })
}

function removeNamespaces(site: Site): void {
  const guests = { directory: netnsDirectory(site), guestRootUid: 0 }
  for (const settings of [guests, gatewayNamespaces(guests)]) removeAllNamespaces(settings)
}

interface Leftover {
  /** of its pid file */
  readonly name: string
  readonly id: ProcessId
}

/** Processes that a killed supervisor left: their pid files hold pid and start time, so none but ours is meant. */
export function leftoversOf({ layout }: Site): readonly Leftover[] {
  // No run directory: nothing was ever started.
  const names = existsSync(layout.run) ? readdirSync(layout.run).filter((name) => name.endsWith('.pid')) : []
  return names.flatMap((name) => {
    const path = join(layout.run, name)
    const id = fromPidFile(path)
    return id && readFileSync(path, 'utf8').split(' ')[1] === id.startTime ? [{ name, id }] : []
  })
}

async function endLeftovers(site: Site): Promise<void> {
  for (const { name, id } of leftoversOf(site))
    await end(id, { with: name === 'postgres.pid' ? 'SIGINT' : 'SIGTERM', timeoutMs: 30_000 })
}

export async function down(config: Config, options: { readonly keepGuests: boolean }): Promise<void> {
  if (!existsSync(config.home)) {
    process.stdout.write(`There is no cloud at ${config.home}.\n`)
    return
  }
  const site: Site = { config, layout: layoutOf(config.home) }
  for (const host of hostsBeside(site)) await downHost(host, options)
  await downHost(site, options)
}

async function downHost(site: Site, { keepGuests }: { readonly keepGuests: boolean }): Promise<void> {
  const isSupervised = (await keptParts(site)) !== null
  await stopServices(site)
  if (keepGuests) {
    if (!isSupervised) return
    await step(at(site, 'other parts'), () => Promise.all(otherParts.map((name) => stopPart(site, name))))
    if (site.config.switchNamespace !== null) return
    process.stdout.write('\nGuests run on, with Docker, Open vSwitch and lxcfs. ./berth up takes them over.\n')
    return
  }
  await step(
    at(site, 'guests'),
    () => stopGuests(site),
    (count) => `${count} shut down`,
  )
  if (isSupervised) {
    await step(at(site, 'parts'), async () => {
      for (const name of [...guestParts, ...otherParts]) await stopPart(site, name)
      await ask(site.layout.supervisorSocket, { op: 'exit' })
      while (await keptParts(site)) await sleep(50)
    })
  }
  await endLeftovers(site)
  removeNamespaces(site)
  removeSwitchNamespace(site)
  separateHosts(site)
}

/** More compute hosts on this machine: each a home with an engine, a switch in a network namespace and an agent of its own. */
import { createHash } from 'node:crypto'
import { closeSync, existsSync, openSync, readdirSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { parse, stringify } from 'yaml'
import { z } from 'zod'
import { configFile, loadConfig, type Config } from '../core/config.ts'
import { Invalid } from '../core/errors.ts'
import { Bridge, type Datapath } from '../netns/bridge.ts'
import { turnOffTxChecksum } from '../netns/ethtool.ts'
import { ensureNamespace, removeNamespace } from '../netns/namespace.ts'
import { RtNetlink } from '../netns/rtnetlink.ts'
import { layoutOf } from './layout.ts'
import type { Site } from './parts/part.ts'
import { registrySettings, type Parts } from './services.ts'

/** A digit tells the names of hosts apart. */
const mostHosts = 9
/** Frames between the hosts are as large as any network's. */
const trunkMtu = 9216
const uplink = 'uplink'

function hostsDirectory({ layout }: Site): string {
  return join(layout.home, 'hosts')
}

function siteAt(home: string): Site {
  return { config: loadConfig({ BERTH_HOME: home }), layout: layoutOf(home) }
}

function homeOf(site: Site, index: number): string {
  return join(hostsDirectory(site), `${site.config.hostName}-${index}`)
}

/** The hosts that this machine has beside its first one, in order. */
export function hostsBeside(site: Site): readonly Site[] {
  const directory = hostsDirectory(site)
  if (!existsSync(directory)) return []
  const names = readdirSync(directory).filter((name) => existsSync(configFile(join(directory, name))))
  return names.toSorted().map((name) => siteAt(join(directory, name)))
}

function settingsOf(site: Site, parts: Parts, index: number): Partial<Config> {
  const { config } = site
  const home = homeOf(site, index)
  return {
    hostName: basename(home),
    services: ['agent'],
    namePrefix: `${config.namePrefix.slice(0, 9)}${index}`,
    databaseUrl: parts.postgres.where,
    ...registrySettings(parts.registry),
    lxcfsDir: parts.lxcfs.where,
    switchNamespace: join(home, 'run', 'switch', 'net'),
    gateways: 'none',
    region: config.region,
    failpointDirectory: config.failpointDirectory,
    logLevel: config.logLevel,
  }
}

/** To be asked before anything is started. @throws Invalid */
export function checkHostCount(count: number | null): void {
  if (count !== null && (!Number.isInteger(count) || count < 1 || count > mostHosts))
    throw new Invalid(`--hosts ${count}: a whole number from 1 to ${mostHosts} is possible`)
}

/**
 * Makes the machine one of `count` hosts at least: those that are there already stay as they are.
 */
export async function makeHosts(site: Site, parts: Parts, count: number): Promise<void> {
  for (let index = 2; index <= count; index += 1) {
    const home = homeOf(site, index)
    if (existsSync(configFile(home))) continue
    await mkdir(home, { recursive: true, mode: 0o755 })
    await writeFile(configFile(home), stringify(settingsOf(site, parts, index)), { mode: 0o600 })
  }
}

/** The hosts beside the first reach the registry as it is now. */
export async function tellHosts(site: Site, parts: Parts): Promise<void> {
  for (const { layout } of hostsBeside(site)) {
    const path = configFile(layout.home)
    const told = z.record(z.string(), z.unknown()).parse(parse(await readFile(path, 'utf8')))
    await writeFile(path, stringify({ ...told, ...registrySettings(parts.registry) }), { mode: 0o600 })
  }
}

/** One of `count` hosts of a machine: what all have together is what the machine has. */
export function sharing({ config, layout }: Site, count: number): Site {
  const { cpuRatio, memoryRatio, diskRatio } = config
  const ratios = { cpuRatio: cpuRatio / count, memoryRatio: memoryRatio / count, diskRatio: diskRatio / count }
  return { config: { ...config, ...ratios }, layout }
}

/** The namespace that the host's switch stands in, made when it is not there. */
export async function ensureSwitchNamespace({ layout }: Site): Promise<void> {
  await ensureNamespace({ directory: join(layout.run, 'switch'), guestRootUid: 0 }, 'net')
}

/** The end of the cable at the first host. */
function cableOf({ config }: Site): string {
  return `${config.namePrefix}-up`
}

/** Locally administered, the same whenever the cable is made. */
function macOf(text: string): string {
  const digest = createHash('sha256').update(text).digest('hex').slice(0, 10)
  return `0a:${(digest.match(/../g) ?? []).join(':')}`
}

async function layCable(host: Site, netnsPath: string): Promise<void> {
  using here = new RtNetlink(null)
  using there = new RtNetlink(netnsPath)
  const far = await there.link(uplink)
  const near = await here.link(cableOf(host))
  if (far && near?.peerIndex === far.index) return
  await here.deleteLink(cableOf(host))
  const descriptor = openSync(netnsPath, 'r')
  try {
    const ends = { host: cableOf(host), guest: uplink, guestMac: macOf(host.layout.home), mtu: trunkMtu }
    await here.createVeth(ends, descriptor)
  } finally {
    closeSync(descriptor)
  }
  const made = await there.link(uplink)
  if (made) await there.setUp(made.index)
}

/** Beyond the numbers of guests' ports. */
const firstTrunkNumber = 60_001

async function plugTrunk(
  bridge: Bridge,
  { device, ofport, datapath }: { device: string; ofport: number; datapath: Datapath },
): Promise<void> {
  await bridge.ensure(datapath)
  const port = await bridge.port(device)
  if (port && (port.ofport ?? -1) > 0 && port.error === null) return
  await bridge.remove(device)
  await bridge.add({ device, vlan: null, ofport, externalIds: { 'berth-role': 'trunk' } })
  if ((await bridge.datapath()) === 'netdev') turnOffTxChecksum(device, bridge.netnsPath)
}

interface Switch {
  readonly site: Site
  readonly ovsSocket: string
  readonly datapath: Datapath
}

/** Every VLAN of one host is that of the other: a cable between their switches, a trunk at both ends. */
export async function connectHost(first: Switch, host: Switch & { readonly index: number }): Promise<void> {
  const netnsPath = host.site.config.switchNamespace
  if (netnsPath === null) throw new Invalid(`${host.site.config.hostName} has no switch of its own`)
  await layCable(host.site, netnsPath)
  const near = new Bridge(first.ovsSocket, first.site.config.bridge, first.site.config.namePrefix)
  const far = new Bridge(host.ovsSocket, host.site.config.bridge, host.site.config.namePrefix, { netnsPath })
  try {
    const { datapath } = first
    await plugTrunk(near, { device: cableOf(host.site), ofport: firstTrunkNumber + host.index, datapath })
    await plugTrunk(far, { device: uplink, ofport: firstTrunkNumber, datapath })
  } finally {
    near.close()
    far.close()
  }
}

/** The end of the cable at the first host's switch goes. */
export async function disconnectHost(first: Pick<Switch, 'site' | 'ovsSocket'>, host: Site): Promise<void> {
  const near = new Bridge(first.ovsSocket, first.site.config.bridge, first.site.config.namePrefix)
  try {
    await near.remove(cableOf(host))
  } finally {
    near.close()
  }
}

/** The namespace goes with all that stands in it, and the cable with it. */
export function removeSwitchNamespace({ layout }: Site): void {
  removeNamespace({ directory: join(layout.run, 'switch'), guestRootUid: 0 }, 'net')
}

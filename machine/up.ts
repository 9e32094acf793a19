/** From a bare machine to a first server that answers ssh. Run again, it changes nothing. */
import { mkdir } from 'node:fs/promises'
import type { Config } from '../core/config.ts'
import { CloudError, Invalid } from '../core/errors.ts'
import { settleAgentRoles } from '../db/agent-roles.ts'
import { connect } from '../db/connect.ts'
import { createDefaults } from '../db/defaults.ts'
import { hostsWithUse } from '../db/hosts.ts'
import { migrate } from '../db/migrate.ts'
import { until } from './until.ts'
import { createDefaultNetwork } from '../ipam/default-network.ts'
import { migrateJobs } from '../jobs/migrate.ts'
import { bootHello, logIn } from './hello.ts'
import { addressOf } from './cloud.ts'
import { raiseSettings } from './host-settings.ts'
import {
  checkHostCount,
  connectHost,
  ensureSwitchNamespace,
  hostsBeside,
  makeHosts,
  sharing,
  tellHosts,
} from './hosts.ts'
import { leftoversOf } from './down.ts'
import { layoutOf } from './layout.ts'
import { removeHosts } from './remove-hosts.ts'
import { installPackages } from './packages.ts'
import { startDocker } from './parts/docker.ts'
import { startLxcfs } from './parts/lxcfs.ts'
import { startOpenVswitch } from './parts/openvswitch.ts'
import { at, type Found, type Site } from './parts/part.ts'
import { startPostgres } from './parts/postgres.ts'
import { startRegistry } from './parts/registry.ts'
import { preflight } from './preflight.ts'
import { step, Steps } from './progress.ts'
import { buildImages, publishImages, type Built } from './publish.ts'
import { Registry } from '../registry/registry.ts'
import { adminPassword } from './secrets.ts'
import {
  codeDigest,
  datapathOf,
  environmentOf,
  isOfService,
  processesOf,
  startService,
  type Parts,
} from './services.ts'
import { ask } from './supervisor-protocol.ts'
import { joinHosts, reaching } from './underlay.ts'
import { keptParts, startSupervisor } from './supervision.ts'
import { writeCloudsYaml } from './env.ts'

async function check(site: Site): Promise<string> {
  const running = await keptParts(site)
  // Parts that outlived their supervisor hold their ports too: they are taken over.
  const isRunning = (running !== null && running.size > 0) || leftoversOf(site).length > 0
  const findings = await preflight(site.config, { isRunning })
  const lacks = findings.filter(({ level }) => level === 'lack')
  if (lacks.length > 0)
    throw new CloudError('unsupported', `this machine lacks\n${lacks.map(({ text }) => `    - ${text}`).join('\n')}`)
  return findings.map(({ text }) => text).join(', ')
}

async function startParts(site: Site): Promise<Parts> {
  const kept = (await keptParts(site)) ?? new Map<string, number>()
  const pid = (name: string): number | null => kept.get(name) ?? null
  const remark = ({ origin, version }: Found): string =>
    [version, origin === 'given' ? '(the given one)' : ''].join(' ').trim()
  const beside = new Steps()
  if (site.config.switchNamespace !== null) await ensureSwitchNamespace(site)
  // Side by side; when one fails the others are waited for, so that nothing goes on behind a message of failure.
  const started = [
    beside.step(at(site, 'postgres'), () => startPostgres(site, pid('postgres')), remark),
    beside.step(at(site, 'docker'), () => startDocker(site, pid('docker')), remark),
    beside.step(at(site, 'open vswitch'), () => startOpenVswitch(site), remark),
    beside.step(at(site, 'registry'), () => startRegistry(site), remark),
    beside.step(at(site, 'lxcfs'), () => startLxcfs(site, pid('lxcfs')), remark),
  ] as const
  await Promise.allSettled(started)
  const [postgres, docker, openvswitch, registry, lxcfs] = await Promise.all(started)
  return { postgres, docker, openvswitch, registry, lxcfs }
}

async function prepareDatabase(
  site: Site,
  parts: Parts,
  { password, images }: { readonly password: string; readonly images: Promise<readonly Built[]> },
): Promise<void> {
  const db = connect(parts.postgres.where, { size: 4, name: 'up', answerMs: 0 })
  try {
    await step('database', async () => {
      await migrate(db)
      await migrateJobs(parts.postgres.where)
      await settleAgentRoles(db)
      const projectId = await createDefaults(db, { adminPassword: password, region: site.config.region })
      await createDefaultNetwork(db, { ...site.config, projectId })
    })
    await step(
      'guest images',
      async () => publishImages(new Registry(parts.registry.access), db, await images),
      (names) => names,
    )
  } finally {
    await db.destroy()
  }
}

async function makeReady(site: Site): Promise<void> {
  await step(
    at(site, 'preflight'),
    () => check(site),
    (note) => note,
  )
  for (const directory of [site.layout.home, site.layout.run, site.layout.log])
    await mkdir(directory, { recursive: true, mode: 0o755 })
  await step(
    at(site, 'packages'),
    () => installPackages(site.layout.log),
    (names) => names.join(' '),
  )
  await step(
    at(site, 'host settings'),
    () => raiseSettings(site),
    (names) => names.join(' '),
  )
  await step(at(site, 'supervisor'), () => startSupervisor(site))
}

/** Every process that is to run does, and none of an earlier `up` that is no more wanted. */
async function startServices(site: Site, env: Record<string, string>): Promise<void> {
  const digest = await codeDigest(site)
  const wanted = processesOf(site.config)
  for (const name of (await keptParts(site))?.keys() ?? [])
    if (isOfService(name) && !wanted.some((one) => one.name === name))
      await step(at(site, `${name} ends`), () => ask(site.layout.supervisorSocket, { op: 'stop', name }))
  for (const one of wanted)
    await step(at(site, one.name), () => startService(site, one, { ...env, BERTH_CODE: digest }))
}

/** A host that takes part in a cloud whose database and registry are given: its engine, its switch, its agent. */
async function upHost(site: Site): Promise<void> {
  await makeReady(site)
  const parts = await startParts(site)
  await startServices(site, environmentOf(site, parts, null))
}

/** The engines and switches of the hosts beside the first, with cables to it: agents find all of it when they start. */
async function startHosts(
  first: Site,
  parts: Parts,
  hosts: readonly Site[],
): Promise<readonly (readonly [Site, Parts])[]> {
  const datapath = datapathOf(first.config)
  const started: (readonly [Site, Parts])[] = []
  for (const [index, site] of hosts.entries()) {
    await makeReady(site)
    const theirs = await startParts(site)
    await step(at(site, 'cable'), () =>
      connectHost(
        { site: first, ovsSocket: parts.openvswitch.where, datapath },
        { site, ovsSocket: theirs.openvswitch.where, datapath, index: index + 1 },
      ),
    )
    started.push([site, theirs])
  }
  if (hosts.length > 0) await step('tunnels', () => joinHosts(first, hosts))
  return started
}

/** Every host of this machine takes servers when this returns: an agent may have seen its engine away while that was started anew. */
async function readyHosts(parts: Parts, sites: readonly Site[]): Promise<string> {
  const names = sites.map(({ config }) => config.hostName)
  const db = connect(parts.postgres.where, { size: 1, name: 'up', answerMs: 0 })
  try {
    await until(`what its agents say of ${names.join(' and ')}`, 30_000, async () => {
      const unwell = (await hostsWithUse(db)).filter(({ name, problem }) => names.includes(name) && problem !== null)
      if (unwell.length > 0)
        throw new CloudError('unavailable', unwell.map((one) => `${one.name}: ${one.problem ?? ''}`).join('; '))
      return true
    })
    return names.join(', ')
  } finally {
    await db.destroy()
  }
}

/** All that a cloud has once, and its first host. */
async function upFirst(site: Site, hosts: number | null): Promise<void> {
  await makeReady(site)
  // The longest piece of work of a first up goes on beside all others; its failure is told at its own step.
  const images = buildImages(site)
  const parts = await startParts(site)
  const password = await adminPassword(site)
  await prepareDatabase(site, parts, { password, images })
  if (hosts !== null) {
    await makeHosts(site, parts, hosts)
    await removeHosts(site, parts, hosts)
  }
  await tellHosts(site, parts)
  const beside = hostsBeside(site)
  // Of several hosts on one machine the first answers for every gateway.
  const gateways = beside.length > 0 && site.config.gateways === 'guests' ? 'all' : site.config.gateways
  const started = await startHosts(site, parts, beside)
  const count = beside.length + 1
  const reached = reaching({ ...site, config: { ...site.config, gateways } }, site, count === 1 ? null : 1)
  await startServices(site, environmentOf(sharing(reached, count), parts, password))
  for (const [index, [host, theirs]] of started.entries())
    await startServices(host, environmentOf(sharing(reaching(host, site, index + 2), count), theirs, null))
  await step(
    'hosts',
    () => readyHosts(parts, [site, ...beside]),
    (names) => names,
  )
  await writeCloudsYaml(site)
}

/**
 * @param hello whether to boot a first server
 * @param hosts compute hosts on this machine; null = as many as it has. One that is to go must be empty
 */
export async function up(
  config: Config,
  { hello = true, hosts = null }: { readonly hello?: boolean; readonly hosts?: number | null } = {},
): Promise<void> {
  checkHostCount(hosts)
  const started = performance.now()
  const site: Site = { config, layout: layoutOf(config.home) }
  if (!config.services.includes('api')) {
    if (hosts !== null) throw new Invalid(`--hosts: ${config.home} is a host of a cloud that is elsewhere`)
    await upHost(site)
    return
  }
  await upFirst(site, hosts)
  if (!hello) return
  const server = await step(
    'server hello',
    () => bootHello(site),
    (one) => `${one.status} at ${addressOf(one)}`,
  )
  await step(
    'ssh',
    () => logIn(site, server),
    (said) => `the guest says: ${said}`,
  )
  process.stdout.write(`
Your cloud is up (${((performance.now() - started) / 1000).toFixed(1)} s). Log in to its first server:

    ./berth ssh hello

Use it with any OpenStack client, such as Debian's python3-openstackclient:

    eval "$(./berth env)"
    openstack server list
    openstack server create --image debian-12 --flavor m1.tiny --network ${config.networkName} --key-name berth --wait one
`)
}

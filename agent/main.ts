import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { arch, cpus, networkInterfaces, uptime } from 'node:os'
import { join } from 'node:path'
import { loadConfig, type Config } from '../core/config.ts'
import { openLog } from '../core/log.ts'
import { Invalid } from '../core/errors.ts'
import { endEvents } from '../db/action-events.ts'
import { connect } from '../db/connect.ts'
import { registerHost } from '../db/hosts.ts'
import { takeLock } from '../db/locks.ts'
import { DockerDriver } from '../driver/docker/driver.ts'
import { DockerStrain } from '../driver/docker/strain.ts'
import { openWires } from '../netns/index.ts'
import { runJobs } from '../jobs/run.ts'
import { answerApi } from './answers.ts'
import { careForImages } from './images.ts'
import { enforceChanges } from './enforce.ts'
import { mirrorsOf, registryOf } from '../registry/registry.ts'
import { Sources } from '../registry/sources.ts'
import { handlersOf } from './handlers.ts'
import type { Host } from './host.ts'
import { serveDisks } from './moves/serve-disks.ts'
import { serveMetadata } from './metadata/serve.ts'
import { reconcile } from './reconcile.ts'
import { endKilledSweep } from './registry-sweep.ts'
import { captureDirectory } from './save-image.ts'
import { Turns } from './turns.ts'
import { answerForNetworks, beat, reconcileOften, tellImages, watchGuests, watchStrain } from './watch.ts'

function required(value: string | null, variable: string): string {
  if (value === null) throw new Invalid(`${variable} is not set: the launcher sets it for parts of our own`)
  return value
}

function engineOf(config: Config): { readonly socketPath: string; readonly cgroupParent: string } {
  const socketPath = required(config.dockerHost, 'DOCKER_HOST').replace(/^unix:\/\//, '')
  return { socketPath, cgroupParent: `/${config.namePrefix}` }
}

function driverOf(config: Config, sources: Sources): DockerDriver {
  return new DockerDriver({
    ...engineOf(config),
    ociDirectory: join(config.home, 'run', 'oci'),
    runtime: 'berth',
    lxcfsDir: config.lxcfsDir === 'off' ? null : config.lxcfsDir,
    sources: (reference) => sources.of(reference),
  })
}

/** What administrators ask of the machine itself. */
function machine(): Readonly<Record<string, unknown>> {
  const address = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .find(({ internal, family }) => !internal && family === 'IPv4')?.address
  const processors = cpus()
  return {
    address: address ?? '127.0.0.1',
    bootedAt: new Date(Date.now() - uptime() * 1000).toISOString(),
    architecture: arch(),
    cpuModel: processors[0]?.model ?? '',
    cpus: processors.length,
  }
}

const config = loadConfig()
const log = openLog('agent', config)
const databaseUrl = required(config.databaseUrl, 'DATABASE_URL')
const name = config.hostName
const lock = await takeLock(databaseUrl, `agent ${name}`, `agent of ${name} (pid ${process.pid})`)
const db = connect(databaseUrl, { size: config.databaseConnections, name: `agent ${name}` })
const registry = registryOf(config)
const driver = driverOf(config, new Sources(registry, mirrorsOf(config)))
const capacity = await driver.capacity()
const wires = await openWires({
  vifType: config.vifType,
  ovsSocket: required(config.ovsSocket, 'BERTH_OVS_SOCKET'),
  bridge: config.bridge,
  datapath: config.datapath === 'system' ? 'system' : 'netdev',
  owner: config.namePrefix,
  switchNamespace: config.switchNamespace,
  namespaces: { directory: join(config.home, 'run', 'netns'), guestRootUid: capacity.guestRootUid },
  hostReachesGuests: config.hostReachesGuests,
})
const { enforcesDisk } = capacity
const [strain, turns] = [new DockerStrain(engineOf(config)), new Turns(config.startConcurrency)]
const host: Host = { name, config, db, driver, registry, enforcesDisk, strain, wires, turns, log }

const agentToken = randomBytes(32).toString('base64url')
const answers = await answerApi(host, agentToken)
const disks = await serveDisks(host, agentToken)
await registerHost(db, {
  name,
  vcpus: capacity.vcpus,
  memoryMiB: capacity.memoryMiB,
  diskGiB: capacity.diskGiB,
  cpuRatio: config.cpuRatio,
  memoryRatio: config.memoryRatio,
  diskRatio: config.diskRatio,
  reservedVcpus: config.reservedVcpus,
  reservedMemoryMiB: config.reservedMemoryMiB,
  reservedDiskGiB: config.reservedDiskGiB,
  rack: config.rack,
  hypervisorType: capacity.hypervisorType,
  hypervisorVersion: capacity.hypervisorVersion,
  traits: {
    storageDriver: capacity.storageDriver,
    enforcesDisk: capacity.enforcesDisk,
    userNamespaces: capacity.guestRootUid !== 0,
    vifType: config.vifType,
    datapath: config.datapath === 'system' ? 'system' : 'netdev',
    cgroupVersion: capacity.cgroupVersion,
    ...(config.tunnelAddress === null
      ? {}
      : { tunnelAddress: config.tunnelAddress, tunnelMtu: await wires.tunnelMtu(config.tunnelAddress) }),
    ...machine(),
  },
  agentUrl: answers.url,
  agentToken,
  diskAddress: disks.address,
})
const metadata = await serveMetadata(host)
await rm(captureDirectory(config), { recursive: true, force: true })
await endKilledSweep(host)
await reconcile(host, { isStart: true })

const ending = new AbortController()
const running = await runJobs(handlersOf(host), {
  databaseUrl,
  host: name,
  lock,
  concurrency: 16,
  log,
  onDone: (payload) => endEvents(db, payload),
})
const loops = Promise.all([
  watchGuests(host, ending.signal),
  reconcileOften(host, ending.signal),
  beat(host, ending.signal),
  tellImages(host, ending.signal),
  enforceChanges(host, databaseUrl, ending.signal),
  answerForNetworks(host, ending.signal),
  watchStrain(host, ending.signal),
])
// Not waited for when the agent ends: what is broken off there is begun again.
void careForImages(host, ending.signal)
mkdirSync(join(config.home, 'run'), { recursive: true })
writeFileSync(join(config.home, 'run', 'agent.ready'), String(process.pid))
log.info({ pid: process.pid, host: name }, 'agent ready')

async function stop(): Promise<void> {
  if (ending.signal.aborted) return
  ending.abort()
  await running.stop()
  await loops
  answers.server.close()
  disks.server.close()
  metadata.close()
  await wires.closeMetadata()
  wires.close()
  await db.destroy()
  await lock.release()
  log.info({ host: name }, 'agent stopped')
  process.exit(0)
}
process.on('SIGTERM', () => void stop())
process.on('SIGINT', () => void stop())
try {
  await Promise.race([running.ended, lock.lost])
} catch (error) {
  if (!ending.signal.aborted) {
    log.error({ err: error }, 'agent ends')
    process.exit(1)
  }
}

/** The Docker engine: the given one when it suits, else one of our own that shares nothing with it. */
import { existsSync } from 'node:fs'
import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { z } from 'zod'
import { Unavailable } from '../../core/errors.ts'
import { commandLine, end, fromPidFile } from '../process.ts'
import { until } from '../until.ts'
import { ensureUser } from '../users.ts'
import { keep, type Found, type Site } from './part.ts'

const defaultSocket = '/var/run/docker.sock'
const drivers = ['overlay2', 'btrfs']
/** As many ids as Docker maps into a guest. */
const idsPerGuest = 65_536
const firstFreeId = 231_072

const infoShape = z.object({
  ServerVersion: z.string(),
  Driver: z.string(),
  LiveRestoreEnabled: z.boolean(),
  Runtimes: z.record(z.string(), z.unknown()),
})
export type DockerInfo = z.output<typeof infoShape>

function runtimePath({ layout }: Site): string {
  return join(layout.home, 'bin', 'berth-runc')
}

/** The engine's own description. @throws Unavailable when nothing answers */
export async function dockerInfo(socketPath: string): Promise<DockerInfo> {
  const body = await new Promise<string>((resolve, reject) => {
    const call = request({ socketPath, path: '/info', timeout: 5000 }, (response) => {
      let text = ''
      response.on('data', (chunk: Buffer) => (text += chunk.toString()))
      response.on('end', () => resolve(text))
    })
    call.on('timeout', () => call.destroy(new Error('no answer within 5 s')))
    call.on('error', (error) =>
      reject(new Unavailable(`Docker does not answer at ${socketPath}: ${error.message}`, { cause: error })),
    )
    call.end()
  })
  return infoShape.parse(JSON.parse(body))
}

/** What keeps an engine from being used for guests; empty = it suits. */
export function misfits(info: DockerInfo): readonly string[] {
  return [
    ...(drivers.includes(info.Driver) ? [] : [`storage driver ${info.Driver}: ${drivers.join(' or ')} is needed`]),
    ...(info.LiveRestoreEnabled ? [] : ['live-restore is off: guests would die with the engine']),
    ...('berth' in info.Runtimes ? [] : ['our runtime is not registered in daemon.json']),
  ]
}

async function given({ config }: Site): Promise<Found | null> {
  const host = config.dockerHost
  if (host !== null && !host.startsWith('unix://'))
    throw new Unavailable(`DOCKER_HOST ${host}: only unix:// sockets can be used`)
  const socketPath = host?.replace(/^unix:\/\//, '') ?? defaultSocket
  try {
    const info = await dockerInfo(socketPath)
    const wrong = misfits(info)
    if (wrong.length === 0) return { origin: 'given', where: `unix://${socketPath}`, version: info.ServerVersion }
    if (host !== null) throw new Unavailable(`DOCKER_HOST ${host} does not suit: ${wrong.join('; ')}`)
    return null
  } catch (error) {
    if (host !== null) throw error
    return null
  }
}

/** The wrapper with its directory, as a file that no clone's move can break. */
async function installRuntime(site: Site): Promise<void> {
  const path = runtimePath(site)
  const wrapper = await readFile(join(site.layout.project, 'driver', 'docker', 'berth-runc'), 'utf8')
  await mkdir(join(site.layout.home, 'bin'), { recursive: true })
  const fixed = wrapper.replace(': "${BERTH_OCI_DIR:?}"', `BERTH_OCI_DIR=${join(site.layout.run, 'oci')}`)
  await writeFile(`${path}.new`, fixed)
  await chmod(`${path}.new`, 0o755)
  await rename(`${path}.new`, path)
}

/** Ids for the guests' users that no other entry of the file overlaps. */
async function reserveIds(path: string, user: string): Promise<void> {
  const text = await readFile(path, 'utf8').catch(() => '')
  const rows = text
    .split('\n')
    .filter(Boolean)
    .map((line) => line.split(':'))
  if (rows.some(([name]) => name === user)) return
  const taken = rows.map(([, first, count]) => Number(first) + Number(count))
  const first = Math.max(firstFreeId, ...taken.filter(Number.isFinite))
  await writeFile(path, `${text}${text === '' || text.endsWith('\n') ? '' : '\n'}${user}:${first}:${idsPerGuest}\n`)
}

export function guestUser({ config }: Site): string {
  return `${config.namePrefix}-guest`
}

async function endLeftover(pidFile: string, home: string): Promise<void> {
  const leftover = fromPidFile(pidFile)
  if (!leftover || !commandLine(leftover.pid).includes(home)) return
  await end(leftover, { with: 'SIGTERM', timeoutMs: 30_000 })
}

/** The engine answers when this returns. */
export async function startDocker(site: Site, kept: number | null): Promise<Found> {
  await installRuntime(site)
  const { config, layout } = site
  const dataRoot = join(layout.home, 'docker')
  // Hosts that share a machine share no engine; and a home whose own has guests' disks keeps it when another comes to suit.
  const isOwn = config.switchNamespace !== null || (config.dockerHost === null && existsSync(dataRoot))
  const found = isOwn ? null : await given(site)
  if (found) return found
  const user = guestUser(site)
  await ensureUser(user)
  await reserveIds('/etc/subuid', user)
  await reserveIds('/etc/subgid', user)
  const socketPath = join(layout.run, 'docker.sock')
  const pidFile = join(layout.run, 'dockerd.pid')
  if (kept === null) await endLeftover(pidFile, layout.home)
  const log = await keep(site, {
    name: 'docker',
    command: [
      '/bin/sh',
      '-c',
      // A pid file that a killed engine left would keep the next one from starting.
      'rm -f "$1"; shift; exec "$@"',
      'sh',
      pidFile,
      'dockerd',
      `--host=unix://${socketPath}`,
      `--data-root=${dataRoot}`,
      `--exec-root=${join(layout.run, 'docker')}`,
      `--pidfile=${pidFile}`,
      `--userns-remap=${user}:${user}`,
      `--add-runtime=berth=${runtimePath(site)}`,
      `--cgroup-parent=/${config.namePrefix}`,
      '--default-cgroupns-mode=private',
      '--bridge=none',
      '--iptables=false',
      '--ip6tables=false',
      '--ip-forward=false',
      '--live-restore',
      '--storage-driver=overlay2',
      '--log-level=warn',
    ],
    stopSignal: 'SIGTERM',
    stopTimeoutMs: 60_000,
  })
  const info = await until(`Docker (log: ${log})`, 60_000, () => dockerInfo(socketPath))
  return { origin: 'ours', where: `unix://${socketPath}`, version: info.ServerVersion }
}

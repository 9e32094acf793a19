/** `./berth schedule --dry-run`: where a server would go, and why. Nothing is promised. */
import { randomUUID } from 'node:crypto'
import { parseArgs } from 'node:util'
import { loadConfig, type Config } from '../../core/config.ts'
import { counted } from '../../core/counted.ts'
import { Invalid, messageOf, NotFound } from '../../core/errors.ts'
import { connect, type Db } from '../../db/connect.ts'
import { hostsWithImage } from '../../db/host-images.ts'
import { hostPlaces, type HostPlace } from '../../db/host-places.ts'
import { hostsOfServers, membersByHost } from '../../db/neighbours.ts'
import { portsByRack } from '../../db/racks.ts'
import { choose, type Choice, type Fitting } from '../choose.ts'
import { nobody, type Neighbours } from '../neighbours.ts'
import type { Question } from '../question.ts'
import { flavorNamed, groupNamed, hostNamed, imageNamed, networkNamed, projectNamed, serversNamed } from './named.ts'

const { values } = parseArgs({
  options: {
    'dry-run': { type: 'boolean', default: false },
    flavor: { type: 'string' },
    image: { type: 'string' },
    network: { type: 'string' },
    project: { type: 'string' },
    zone: { type: 'string' },
    host: { type: 'string' },
    group: { type: 'string' },
    'same-host': { type: 'string', multiple: true },
    'different-host': { type: 'string', multiple: true },
    json: { type: 'boolean', default: false },
  },
})

async function neighboursAsked(db: Db): Promise<Neighbours> {
  const near = values['same-host']
  const far = values['different-host'] ?? []
  const group = values.group === undefined ? null : await groupNamed(db, values.group)
  return {
    ...nobody,
    group,
    members: group === null ? new Map() : await membersByHost(db, group.id, randomUUID()),
    sameHosts: near === undefined ? null : await hostsOfServers(db, await serversNamed(db, near)),
    differentHosts: await hostsOfServers(db, await serversNamed(db, far)),
  }
}

async function question(db: Db, flavorName: string): Promise<Question> {
  const imageReference = await imageNamed(db, values.image)
  const server = {
    flavor: await flavorNamed(db, flavorName),
    failedHosts: {},
    requestedHost: await hostNamed(db, values.host),
    pinnedZone: values.zone ?? null,
    hints: {},
    serverGroupId: null,
    projectId: await projectNamed(db, values.project),
    imageReference,
    lot: '',
  }
  return {
    server,
    neighbours: await neighboursAsked(db),
    imageHosts: new Set(await hostsWithImage(db, imageReference)),
    portsByRack:
      values.network === undefined ? new Map() : await portsByRack(db, await networkNamed(db, values.network)),
  }
}

function free(used: number, total: number, unit = ''): string {
  return `${Math.max(0, Math.floor(total - used))} of ${Math.floor(total)}${unit}`
}

function roomOf(host: HostPlace): string {
  const memory = free(host.usedMemoryMiB, (host.memoryMiB - host.reservedMemoryMiB) * host.memoryRatio, ' MiB')
  return `${memory} and ${free(host.usedVcpus, (host.vcpus - host.reservedVcpus) * host.cpuRatio)} vcpus free, ${counted(host.servers, 'server')}`
}

function pointsOf({ host, points }: Fitting, partsOf: Choice['partsOf']): string {
  return `${points.toFixed(2)} points = ${partsOf(host)
    .map((part) => `${part.weigher} ${part.points.toFixed(2)}`)
    .join(' + ')}`
}

function text({ fitting, partsOf, reasons }: Choice): string {
  const lines = fitting.map((one, index) => {
    const mark = index === 0 ? '✓' : ' '
    return `  ${mark} ${index + 1}. ${one.host.name}: ${roomOf(one.host)}\n         ${pointsOf(one, partsOf)}`
  })
  return [...lines, ...Object.entries(reasons).map(([host, reason]) => `  ✗ ${host}: ${reason}`), ''].join('\n')
}

function json({ fitting, partsOf, reasons }: Choice): string {
  const passed = fitting.map(({ host, points }) => ({
    host: host.name,
    points,
    parts: Object.fromEntries(partsOf(host).map((part) => [part.weigher, part.points])),
  }))
  const refused = Object.entries(reasons).map(([host, reason]) => ({ host, reason }))
  return `${JSON.stringify({ fitting: passed, refused }, null, 2)}\n`
}

async function explain(db: Db, config: Config): Promise<void> {
  if (!values['dry-run']) throw new Invalid('--dry-run is needed: servers are scheduled when they are made')
  if (values.flavor === undefined) throw new Invalid('--flavor: a name or id is needed')
  const choice = choose(await hostPlaces(db), await question(db, values.flavor), config)
  process.stdout.write(values.json ? json(choice) : text(choice))
  if (choice.fitting.length === 0) process.exitCode = 1
}

const config = loadConfig()
if (config.databaseUrl === null)
  throw new Invalid('DATABASE_URL is not set: ./berth schedule sets it for a cloud that is up')
const db = connect(config.databaseUrl, { size: 2, name: 'explain' })
try {
  await explain(db, config)
} catch (error) {
  process.stderr.write(`berth: ${messageOf(error)}\n`)
  process.exitCode = error instanceof Invalid || error instanceof NotFound ? 2 : 1
} finally {
  await db.destroy()
}

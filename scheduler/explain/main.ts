/** `./berth schedule --dry-run`: where a server would go, and why. Nothing is promised. */
import { parseArgs } from 'node:util'
import { loadConfig } from '../../core/config.ts'
import { Invalid, messageOf, NotFound } from '../../core/errors.ts'
import type { ServerFlavor } from '../../core/server.ts'
import { connect, type Db } from '../../db/connect.ts'
import { hostsWithUse } from '../../db/hosts.ts'
import { choose } from '../schedule.ts'

async function flavorNamed(db: Db, name: string): Promise<ServerFlavor> {
  const row = await db('flavors').where({ name }).orWhere({ id: name }).first()
  if (!row) throw new NotFound('Flavor', name)
  return row
}

function free(used: number, total: number, unit = ''): string {
  return `${Math.max(0, Math.floor(total - used))} of ${Math.floor(total)}${unit}`
}

const { values } = parseArgs({
  options: {
    'dry-run': { type: 'boolean', default: false },
    flavor: { type: 'string' },
    zone: { type: 'string' },
    host: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
})

async function explain(db: Db): Promise<void> {
  if (!values['dry-run']) throw new Invalid('--dry-run is needed: servers are scheduled when they are made')
  if (values.flavor === undefined) throw new Invalid('--flavor: a name or id is needed')
  const flavor = await flavorNamed(db, values.flavor)
  const hosts = await hostsWithUse(db)
  const { fitting, reasons } = choose(hosts, {
    flavor,
    failedHosts: {},
    requestedHost: values.host ?? null,
    pinnedZone: values.zone ?? null,
    hints: {},
    serverGroupId: null,
  })
  const refused = Object.entries(reasons).map(([host, reason]) => ({ host, reason }))
  if (values.json) {
    process.stdout.write(`${JSON.stringify({ fitting: fitting.map(({ name }) => name), refused }, null, 2)}\n`)
    return
  }
  for (const [index, one] of fitting.entries()) {
    const memory = free(one.usedMemoryMiB, (one.memoryMiB - one.reservedMemoryMiB) * one.memoryRatio, ' MiB')
    const cpus = free(one.usedVcpus, one.vcpus * one.cpuRatio)
    const mark = index === 0 ? '✓' : ' '
    process.stdout.write(
      `  ${mark} ${index + 1}. ${one.name}: ${memory} and ${cpus} vcpus free, ${one.servers} servers\n`,
    )
  }
  for (const { host, reason } of refused) process.stdout.write(`  ✗ ${host}: ${reason}\n`)
  if (fitting.length === 0) process.exitCode = 1
}

const config = loadConfig()
if (config.databaseUrl === null)
  throw new Invalid('DATABASE_URL is not set: ./berth schedule sets it for a cloud that is up')
const db = connect(config.databaseUrl, { size: 2, name: 'explain' })
try {
  await explain(db)
} catch (error) {
  process.stderr.write(`berth: ${messageOf(error)}\n`)
  process.exitCode = error instanceof Invalid || error instanceof NotFound ? 2 : 1
} finally {
  await db.destroy()
}

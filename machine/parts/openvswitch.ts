/** Open vSwitch: the one that runs at the first `up`, else a database and a switch of our own. */
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { dirname, join } from 'node:path'
import { execa } from 'execa'
import { z } from 'zod'
import { Unavailable } from '../../core/errors.ts'
import { until } from '../until.ts'
import { keep, type Found, type Site } from './part.ts'

const runningSocket = '/var/run/openvswitch/db.sock'
const schema = '/usr/share/openvswitch/vswitch.ovsschema'

async function connects(path: string): Promise<true> {
  return await new Promise((resolve, reject) => {
    const socket = createConnection(path)
    socket.setTimeout(3000, () => socket.destroy(new Error('no answer')))
    socket.once('connect', () => {
      socket.end()
      resolve(true)
    })
    socket.once('error', reject)
  })
}

/** The kernel's datapath where the kernel has it; the generic netlink family tells. */
export function kernelDatapath(): boolean {
  return existsSync('/sys/module/openvswitch')
}

async function version(): Promise<string> {
  const { stdout } = await execa('ovs-vswitchd', ['--version'], { timeout: 5000 })
  return /\d+\.\d+\.\d+/.exec(stdout)?.[0] ?? 'unknown'
}

function databaseOf({ layout }: Site): string {
  return join(layout.home, 'openvswitch', 'conf.db')
}

const interfaces = z.tuple([z.object({ rows: z.array(z.object({ name: z.string() })) })])

/** The devices that our own switch made, by its database, which nobody needs to serve. */
export async function devicesOfSwitch(site: Site): Promise<readonly string[]> {
  const database = databaseOf(site)
  if (!existsSync(database)) return []
  const query = { op: 'select', table: 'Interface', where: [['type', '==', 'internal']], columns: ['name'] }
  const words = ['query', database, JSON.stringify(['Open_vSwitch', query])]
  const { stdout } = await execa('ovsdb-tool', words, { timeout: 10_000 })
  return interfaces.parse(JSON.parse(stdout))[0].rows.map(({ name }) => name)
}

/** The database answers and the switch has taken its first configuration when this returns. */
export async function startOpenVswitch(site: Site): Promise<Found> {
  const { config, layout } = site
  const wanted = config.ovsSocket ?? runningSocket
  const database = databaseOf(site)
  // Hosts that share a machine share no switch; and a home that has made its own keeps it when another comes to run.
  const isOwn = config.ovsSocket === null && (config.switchNamespace !== null || existsSync(database))
  if (!isOwn && (await connects(wanted).catch(() => false)))
    return { origin: 'given', where: wanted, version: await version() }
  if (config.ovsSocket !== null) throw new Unavailable(`BERTH_OVS_SOCKET ${config.ovsSocket} does not answer`)
  const directory = dirname(database)
  const run = join(layout.run, 'openvswitch')
  await mkdir(directory, { recursive: true })
  await mkdir(run, { recursive: true })
  const socketPath = join(run, 'db.sock')
  if (!existsSync(database)) await execa('ovsdb-tool', ['create', database, schema], { timeout: 10_000 })
  const env = { OVS_RUNDIR: run, OVS_DBDIR: directory, OVS_LOGDIR: layout.log, OVS_SYSCONFDIR: directory }
  const inside = config.switchNamespace === null ? [] : ['nsenter', `--net=${config.switchNamespace}`]
  const quiet = ['--no-chdir', '-vconsole:warn', '-vsyslog:off']
  const log = await keep(site, {
    name: 'ovsdb-server',
    command: [
      'ovsdb-server',
      database,
      `--remote=punix:${socketPath}`,
      `--unixctl=${join(run, 'ovsdb.ctl')}`,
      ...quiet,
    ],
    env,
    stopSignal: 'SIGTERM',
  })
  await until(`ovsdb-server (log: ${log})`, 20_000, () => connects(socketPath))
  await execa('ovs-vsctl', [`--db=unix:${socketPath}`, '--no-wait', 'init'], { timeout: 10_000 })
  await keep(site, {
    name: 'ovs-vswitchd',
    command: [...inside, 'ovs-vswitchd', `unix:${socketPath}`, `--unixctl=${join(run, 'vswitchd.ctl')}`, ...quiet],
    env,
    stopSignal: 'SIGTERM',
  })
  await execa(
    'ovs-vsctl',
    [`--db=unix:${socketPath}`, '--timeout=20', 'set', 'Open_vSwitch', '.', 'external_ids:berth=ours'],
    { timeout: 25_000 },
  )
  return { origin: 'ours', where: socketPath, version: await version() }
}

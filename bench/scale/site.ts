/** A database of its own with many hosts, and real API and scheduler processes on it. */
import { spawn, type ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { loadConfig } from '../../core/config.ts'
import { connect, type Db } from '../../db/connect.ts'
import { createDefaults } from '../../db/defaults.ts'
import { addImage } from '../../db/images.ts'
import { defaultGroup } from '../../db/security-groups.ts'
import { migrate } from '../../db/migrate.ts'
import { setQuota } from '../../db/quotas.ts'
import { createDefaultNetwork } from '../../ipam/default-network.ts'
import { migrateJobs } from '../../jobs/migrate.ts'
import { nodeFlagsOf, type Service } from '../../machine/services.ts'
import { until } from '../../machine/until.ts'
import { databaseUrl } from '../measure/site.ts'

const project = fileURLToPath(new URL('../..', import.meta.url))
export const password = randomUUID()
export const image = `bench.test/images/none@sha256:${'0'.repeat(64)}`

export interface ScaleSite {
  readonly db: Db
  readonly url: string
  readonly home: string
  readonly apiUrl: string
  readonly projectId: string
  /** pids of the schedulers and of the API */
  readonly pids: ReadonlyMap<string, number>
  readonly logs: readonly string[]
  readonly close: () => Promise<void>
}

/** @param database its name: what stood in it is dropped */
export async function prepare(database: string, hosts: number): Promise<Omit<ScaleSite, 'apiUrl' | 'pids' | 'logs'>> {
  const admin = connect(await databaseUrl('postgres'), { size: 1, name: 'bench' })
  await admin.raw('drop database if exists ?? with (force)', [database])
  await admin.raw('create database ??', [database])
  const url = await databaseUrl(database)
  const db = connect(url, { size: 20, name: 'bench', answerMs: 0 })
  await migrate(db)
  await migrateJobs(url)
  const projectId = await createDefaults(db, { adminPassword: password, region: 'RegionOne' })
  const network = { networkCidr: '10.0.0.0/12', networkName: 'wide', projectId }
  await createDefaultNetwork(db, { ...loadConfig(), ...network })
  await addImage(db, { name: 'none', reference: image, sizeBytes: 1, properties: {} })
  await db.transaction((trx) => defaultGroup(trx, projectId))
  for (const resource of ['instances', 'cores', 'ram'] as const) await setQuota(db, projectId, resource, -1)
  await db.raw('update network_quotas set hard_limit = -1')
  await db.raw(
    `insert into hosts (id, name, rack, vcpus, memory_mib, disk_gib, cpu_ratio, memory_ratio, disk_ratio, reserved_memory_mib,
                        hypervisor_type, hypervisor_version, traits)
     select gen_random_uuid(), 'host-' || i, 'rack-' || i % 25, 64, 262144, 4000, 8, 1, 1, 512, 'fake', '1',
            '{"datapath": "system", "storageDriver": "memory", "cgroupVersion": 2}'
     from generate_series(1, ?::int) i`,
    [hosts],
  )
  const home = await mkdtemp(join(tmpdir(), 'berth-bench-'))
  const close = async (): Promise<void> => {
    await db.destroy()
    await admin.raw('drop database if exists ?? with (force)', [database])
    await admin.destroy()
    await rm(home, { recursive: true })
  }
  return { db, url, home, projectId, close }
}

/** Real processes, as the launcher starts them. */
export async function startProcesses(
  site: Omit<ScaleSite, 'apiUrl' | 'pids' | 'logs'>,
  { schedulers, port }: { readonly schedulers: number; readonly port: number },
): Promise<ScaleSite> {
  const children = new Map<string, ChildProcess>()
  const processes: readonly (readonly [service: Service, number: number])[] = [
    ['api', 1],
    ...Array.from({ length: schedulers }, (_none, index) => ['scheduler', index + 1] as const),
  ]
  for (const [service, number] of processes) {
    const name = service === 'api' ? service : `${service}-${number}`
    const log = openSync(join(site.home, `${name}.log`), 'a')
    const env = {
      PATH: process.env.PATH,
      BERTH_HOME: site.home,
      BERTH_HOST_NAME: 'bench',
      DATABASE_URL: site.url,
      BERTH_API_PORT: String(port),
      BERTH_PROCESS_NUMBER: String(number),
    }
    const words = [...nodeFlagsOf(service), join(project, service, 'main.ts')]
    const child = spawn(process.execPath, words, { env, stdio: ['ignore', log, log] })
    closeSync(log)
    children.set(name, child)
    const file = join(site.home, 'run', `${number === 1 ? service : name}.ready`)
    await until(name, 60_000, async () => (await readFile(file, 'utf8')) === String(child.pid))
  }
  const pids = new Map([...children].flatMap(([name, { pid }]) => (pid === undefined ? [] : [[name, pid] as const])))
  const close = async (): Promise<void> => {
    for (const child of children.values()) child.kill('SIGTERM')
    for (const child of children.values())
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    await site.close()
  }
  const logs = [...children.keys()].slice(1).map((name) => join(site.home, `${name}.log`))
  return { ...site, apiUrl: `http://127.0.0.1:${port}`, pids, logs, close }
}

export async function residentMiB(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+)/.exec(text)?.[1] ?? 0) / 1024
}

/** Two APIs on one port and two schedulers, each a process of its own, on one database: one of each dies, and the work goes on. */
import { spawn, type ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { closeSync, openSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { z } from 'zod'
import {
  addHost,
  bootBody,
  clientOf,
  startApi,
  tokenOf,
  type Answer,
  type Client,
  type TestApi,
} from '../api/fixture.ts'
import { until } from '../world/until.ts'

const project = fileURLToPath(new URL('../..', import.meta.url))
/** Four hosts of sixteen places each. */
const [hosts, places, asked] = [4, 64, 70]

let api: TestApi
let home: string
let url: string
let member: Client
const running = new Map<string, ChildProcess>()

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (typeof address !== 'object' || address === null) throw new Error('no port')
  return address.port
}

function logOf(name: string): string {
  return join(home, `${name}.log`)
}

/** @param name 'api', 'api-2', 'scheduler' or 'scheduler-2' */
async function start(name: string, port: number): Promise<void> {
  const [service = '', number = '1'] = name.split('-')
  const log = openSync(logOf(name), 'a')
  const words = ['--disable-warning=ExperimentalWarning', join(project, service, 'main.ts')]
  const env = {
    PATH: process.env.PATH,
    BERTH_HOME: home,
    BERTH_HOST_NAME: 'control',
    DATABASE_URL: api.databaseUrl,
    BERTH_API_PORT: String(port),
    BERTH_APIS: '2',
    BERTH_PROCESS_NUMBER: number,
    BERTH_HEARTBEAT_SECONDS: '1',
    ...(name === 'scheduler' ? { BERTH_FAILPOINT_DIRECTORY: join(home, 'failpoints') } : {}),
  }
  const child = spawn(process.execPath, words, { env, stdio: ['ignore', log, log] })
  closeSync(log)
  running.set(name, child)
  const ready = async (): Promise<boolean> =>
    (await readFile(join(home, 'run', `${name}.ready`), 'utf8')) === String(child.pid)
  await until(ready, { timeoutMs: 60_000, what: name })
}

async function ended(name: string): Promise<void> {
  const child = running.get(name)
  await until(() => child?.exitCode !== null || child.signalCode !== null, {
    timeoutMs: 30_000,
    what: `end of ${name}`,
  })
}

beforeAll(async () => {
  api = await startApi()
  for (let index = 1; index <= hosts; index += 1) await addHost(api.db, `host-${index}`)
  await api.db('hosts').update({ heartbeatAt: new Date(Date.now() + 600_000) })
  home = await mkdtemp(join(tmpdir(), 'berth-processes-'))
  await mkdir(join(home, 'failpoints'))
  const port = await freePort()
  url = `http://127.0.0.1:${port}`
  for (const name of ['api', 'api-2', 'scheduler', 'scheduler-2']) await start(name, port)
  member = clientOf(url, await tokenOf(url, 'mia', 'shop'))
}, 180_000)
afterAll(async () => {
  for (const child of running.values()) child.kill('SIGKILL')
  for (const name of running.keys()) await ended(name)
  await rm(home, { recursive: true })
  await api.stop()
}, 60_000)

/** A client tries again when its connection broke; the key makes it one server. */
async function create(): Promise<Answer> {
  const headers = { 'Idempotency-Key': randomUUID() }
  const attempt = () =>
    member('POST /compute/v2.1/servers', { body: bootBody(api), headers }).catch((error: unknown) => {
      if (error instanceof TypeError) return null
      throw error
    })
  return await until(attempt, { timeoutMs: 60_000, what: 'an API that answers' })
}

async function createMany(count: number): Promise<void> {
  const answers = await Promise.all(Array.from({ length: count }, create))
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]))
}

/** How many servers no scheduler has decided on. */
async function waiting(): Promise<number> {
  return (await api.db('servers').where({ taskState: 'scheduling' }).select('id')).length
}

async function linesIn(name: string, event: string): Promise<number> {
  return (await readFile(logOf(name), 'utf8')).split(`"msg":"${event}"`).length - 1
}

const services = z.object({ services: z.array(z.object({ host: z.string(), state: z.string() })) })

test('both schedulers and both APIs are at work at once', async () => {
  await createMany(24)
  await until(async () => (await waiting()) === 0, { timeoutMs: 60_000, what: 'places' })
  for (const name of ['api', 'api-2']) expect(await linesIn(name, 'request answered')).toBeGreaterThan(0)
  for (const name of ['scheduler', 'scheduler-2']) expect(await linesIn(name, 'job done')).toBeGreaterThan(0)
  const { body } = await api.admin('GET /compute/v2.1/os-services?binary=nova-scheduler')
  expect(services.parse(body).services.map(({ host, state }) => [host, state])).toEqual([
    ['control', 'up'],
    ['control-2', 'up'],
  ])
}, 120_000)

test('one of each dies with its hands full: the others end its work, and nothing is promised twice', async () => {
  // The first scheduler dies before its statement, with jobs of the queue in its hands.
  await writeFile(join(home, 'failpoints', 'scheduler.create.chosen'), '')
  const rest = createMany(asked - 24)
  await ended('scheduler')
  running.get('api')?.kill('SIGKILL')
  await rest
  await until(async () => (await waiting()) === 0, { timeoutMs: 60_000, what: 'places' })
  const made = await api.db('servers').select('id', 'vmState', 'host')
  expect(made.filter(({ host }) => host !== null)).toHaveLength(places)
  expect(made.filter(({ vmState }) => vmState === 'error')).toHaveLength(asked - places)
  const { rows } = await api.db.raw<{ rows: { host: string; places: number; jobs: number }[] }>(
    `select s.host, count(*)::int as places, (select count(*)::int from graphile_worker._private_jobs j
        join graphile_worker._private_tasks t on t.id = j.task_id where t.identifier = s.host || '/server.create') as jobs
     from servers s join allocations a on a.server_id = s.id and a.host = s.host group by s.host order by s.host`,
  )
  expect(rows).toEqual([1, 2, 3, 4].map((index) => ({ host: `host-${index}`, places: 16, jobs: 16 })))
  expect(await readFile(logOf('scheduler-2'), 'utf8')).toContain('job taken over')
}, 180_000)

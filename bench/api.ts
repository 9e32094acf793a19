/**
 * What the API takes beside its floor, in the same run: GET of one server, of a page of 100 and of 1,000 in detail beside the same statement by
 * a bare pg and the same bytes by a bare express; POST /servers beside a bare transaction of the same rows, which looks nothing up, counts no
 * quota, takes no lock and is asked by no HTTP. p50 and p95 in milliseconds, of 1 and 8 clients, all of one project, with 1, 1,000 and 10,000
 * servers in the table. usage: api [scale of the samples, 1 = all]
 */
import type { Db } from '../db/connect.ts'
import { setQuota } from '../db/quotas.ts'
import { findShown, listShown } from '../db/shown-servers.ts'
import { BareCreator, startFloor, statementOf, type Floor } from './api/bare.ts'
import { Client, tokenOf } from './api/client.ts'
import { groundOf, pageOfProject, someServer, type Ground } from './api/ground.ts'
import { print, quantile, timed } from './measure/figures.ts'
import { addServers } from './scale/fill.ts'
import { password, prepare, startProcesses, type ScaleSite } from './scale/site.ts'

const scale = Number(process.argv[2] ?? 1)
const sizes = [1, 1000, 10_000] as const
const crowds = [1, 8] as const
const hosts = 20
const rounds = 4

/** Something to ask, beside its floor. */
interface Operation {
  readonly name: string
  /** of one client in one round */
  readonly samples: number
  readonly api: (client: Client) => Promise<unknown>
  readonly floor: (client: Client) => Promise<unknown>
}

/** What each of `crowd` clients waited, one request after the other. */
async function sample(
  clients: readonly Client[],
  { samples }: Operation,
  work: Operation['api'],
): Promise<readonly number[]> {
  const count = Math.max(2, Math.round((samples * scale) / clients.length))
  const loop = async (client: Client): Promise<readonly number[]> => {
    const took: number[] = []
    for (let index = 0; index < count; index += 1) took.push(await timed(() => work(client)))
    return took
  }
  return (await Promise.all(clients.map(loop))).flat()
}

/** Floor and API by turns, so that what else the machine does meets both. */
async function measure(operation: Operation, crowd: number, prefix: string): Promise<number> {
  const clients = Array.from({ length: crowd }, () => new Client())
  const [floor, api]: [number[], number[]] = [[], []]
  await sample(clients, operation, operation.floor)
  await sample(clients, operation, operation.api)
  for (let round = 0; round < rounds; round += 1) {
    floor.push(...(await sample(clients, operation, operation.floor)))
    api.push(...(await sample(clients, operation, operation.api)))
  }
  for (const client of clients) client.close()
  const [p50, p95] = [quantile(api, 0.5), quantile(api, 0.95)]
  const name = `${prefix}_clients_${crowd}_${operation.name}`
  print({
    [`${name}_p50_ms`]: p50,
    [`${name}_p95_ms`]: p95,
    [`${name}_floor_p50_ms`]: quantile(floor, 0.5),
    [`${name}_floor_p95_ms`]: quantile(floor, 0.95),
    [`${name}_ratio`]: p50 / quantile(floor, 0.5),
    [`${name}_p95_ratio`]: p95 / quantile(floor, 0.95),
  })
  return p50
}

interface Bench {
  readonly site: ScaleSite
  readonly floor: Floor
  readonly ground: Ground
  readonly headers: Readonly<Record<string, string>>
}

/** A GET, and the same bytes after the same statement. */
async function reading(
  { site, floor, headers }: Bench,
  { name, path, samples }: { readonly name: string; readonly path: string; readonly samples: number },
  statement: (db: Db) => Promise<unknown>,
): Promise<Operation> {
  const url = `${site.apiUrl}/compute/v2.1${path}`
  const bytes = await new Client().ask({ url, headers })
  await floor.serve(name, await statementOf(site.db, () => statement(site.db)), bytes)
  return {
    name,
    samples,
    api: (client) => client.ask({ url, headers }),
    floor: (client) => client.ask({ url: `${floor.url}/${name}` }),
  }
}

async function readings(bench: Bench): Promise<readonly Operation[]> {
  const { ground } = bench
  const id = await someServer(bench.site.db)
  const page = (limit: number) => (db: Db) => listShown(db, pageOfProject(ground.projectId, limit))
  return [
    await reading(bench, { name: 'get_one', path: `/servers/${id}`, samples: 400 }, (db) => findShown(db, id)),
    await reading(bench, { name: 'list_100', path: '/servers/detail?limit=100', samples: 100 }, page(100)),
    await reading(bench, { name: 'list_1000', path: '/servers/detail?limit=1000', samples: 24 }, page(1000)),
  ]
}

function creating({ site, ground, headers }: Bench, bare: BareCreator): Operation {
  let made = 0
  const url = `${site.apiUrl}/compute/v2.1/servers`
  const body = (): string => {
    made += 1
    const { imageId: imageRef, networkId: uuid } = ground
    return JSON.stringify({ server: { name: `bench-${made}`, imageRef, flavorRef: '2', networks: [{ uuid }] } })
  }
  const withType = { ...headers, 'content-type': 'application/json' }
  return {
    name: 'post',
    samples: 100,
    api: (client) => client.ask({ url, method: 'POST', body: body(), headers: withType }),
    floor: () => bare.create(),
  }
}

async function stage(bench: Bench, bare: BareCreator, size: number): Promise<Readonly<Record<string, number>>> {
  const { db } = bench.site
  const [counted] = await db('servers').count({ count: '*' })
  const missing = size - Number(counted?.count ?? 0)
  if (missing > 0) await addServers(db, { count: missing, hosts, isPlaced: true })
  await db.raw('vacuum analyze')
  const p50s: Record<string, number> = {}
  for (const operation of [...(await readings(bench)), creating(bench, bare)])
    for (const crowd of crowds)
      p50s[`clients_${crowd}_${operation.name}`] = await measure(operation, crowd, `servers_${size}`)
  return p50s
}

const prepared = await prepare('berth_bench_api', hosts)
const site = await startProcesses(prepared, { schedulers: 0, port: 20_000 + (process.pid % 10_000) })
const floor = await startFloor(site.url)
let bare: BareCreator | null = null
try {
  const { token, userId } = await tokenOf(site.apiUrl, password)
  for (const resource of ['instances', 'cores', 'ram'] as const)
    await setQuota(site.db, site.projectId, resource, 100_000_000)
  const ground = await groundOf(site.db, { projectId: site.projectId, userId })
  bare = new BareCreator(site.url, ground, Math.max(...crowds))
  const headers = { 'x-auth-token': token, 'openstack-api-version': 'compute 2.96' }
  const stages: Readonly<Record<string, number>>[] = []
  for (const size of sizes) stages.push(await stage({ site, floor, ground, headers }, bare, size))
  const [, thousand = {}, tenThousand = {}] = stages
  for (const name of Object.keys(thousand))
    print({ [`growth_1000_to_10000_${name}`]: (tenThousand[name] ?? 0) / (thousand[name] ?? 1) })
} finally {
  await bare?.close()
  await floor.stop()
  await site.close()
}

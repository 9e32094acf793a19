/** The API on a database of its own, with a project of a user's beside the administrator's, and no host. */
import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pino } from 'pino'
import { z } from 'zod'
import { createApp } from '../../api/app.ts'
import { settings, type Config } from '../../core/config.ts'
import type { PowerState, VmState } from '../../core/states.ts'
import type { Db } from '../../db/connect.ts'
import { createDefaults } from '../../db/defaults.ts'
import { addImage } from '../../db/images.ts'
import { hashPassword } from '../../db/password.ts'
import { setQuota } from '../../db/quotas.ts'
import { createDefaultNetwork } from '../../ipam/default-network.ts'
import { registryOf, type Registry } from '../../registry/registry.ts'
import { freshDatabase } from '../world/index.ts'
import { ContractBook } from './contracts/book.ts'
import { tap } from './contracts/tap.ts'

export const password = 'correct horse'

export interface Answer {
  readonly status: number
  readonly headers: Headers
  /** parsed JSON; undefined when there is no body */
  readonly body: unknown
}

interface Asked {
  readonly body?: unknown
  readonly version?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** Asks as one user: `client('POST /compute/v2.1/servers', { body })`. */
export type Client = (request: string, asked?: Asked) => Promise<Answer>

export interface TestApi {
  readonly url: string
  readonly databaseUrl: string
  readonly db: Db
  readonly projectId: string
  readonly networkId: string
  readonly imageId: string
  readonly nobody: Client
  readonly admin: Client
  readonly member: Client
  readonly reader: Client
  /** of another project */
  readonly stranger: Client
  /** what was answered so far, by the contracts of the routes */
  readonly book: ContractBook
  /** @throws Error when a contract was broken */
  readonly stop: () => Promise<void>
}

function isPort(address: string | AddressInfo | null): address is AddressInfo {
  return typeof address === 'object' && address !== null
}

async function listen(
  db: Db,
  changed: Partial<Config>,
  { registry, book }: { readonly registry: Registry | null; readonly book: ContractBook },
): Promise<{ readonly url: string; readonly close: () => Promise<void> }> {
  const config = settings.parse({ home: '/nowhere', ...changed })
  const app = createApp({
    db,
    config,
    registry: registry ?? registryOf(config),
    log: pino({ level: 'silent' }),
  })
  const server = createServer((request, response) => {
    tap(book, request, response)
    app(request, response)
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const address = server.address()
  if (!isPort(address)) throw new Error('the API has no port')
  const close = async (): Promise<void> => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
  return { url: `http://127.0.0.1:${address.port}`, close }
}

export function clientOf(url: string, token: string | null): Client {
  return async (request, { body, version, headers } = {}) => {
    const [method = 'GET', path = '/'] = request.split(' ')
    const response = await fetch(`${url}${path}`, {
      method,
      redirect: 'manual',
      signal: AbortSignal.timeout(20_000),
      headers: {
        Accept: 'application/json',
        ...(token === null ? {} : { 'X-Auth-Token': token }),
        ...(version === undefined ? {} : { 'OpenStack-API-Version': `compute ${version}` }),
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    const isJson = response.headers.get('content-type')?.startsWith('application/json') ?? false
    return {
      status: response.status,
      headers: response.headers,
      body: text === '' ? undefined : isJson ? JSON.parse(text) : text,
    }
  }
}

/** The body that asks for a token. */
export function login(user: string, project: string, secret = password): unknown {
  const domain = { id: 'default' }
  return {
    auth: {
      identity: { methods: ['password'], password: { user: { name: user, domain, password: secret } } },
      scope: { project: { name: project, domain } },
    },
  }
}

export async function tokenOf(url: string, user: string, project: string): Promise<string> {
  const { status, headers } = await clientOf(url, null)('POST /identity/v3/auth/tokens', { body: login(user, project) })
  const token = headers.get('x-subject-token')
  if (status !== 201 || token === null) throw new Error(`no token for ${user}: ${status}`)
  return token
}

async function addUser(db: Db, name: string, project: string, role: string): Promise<void> {
  const projectId = `project-${project}`
  await db('projects').insert({ id: projectId, name: project }).onConflict().ignore()
  await db('users').insert({ id: `user-${name}`, name, passwordHash: await hashPassword(password) })
  const { id: roleId } = z.object({ id: z.string() }).parse(await db('roles').where({ name: role }).first())
  await db('role_assignments').insert({ userId: `user-${name}`, projectId, roleId })
}

export async function startApi(
  changed: Partial<Config> = {},
  { registry = null }: { readonly registry?: Registry | null } = {},
): Promise<TestApi> {
  const { url: databaseUrl, db, drop } = await freshDatabase()
  const adminProject = await createDefaults(db, { adminPassword: password, region: 'RegionOne' })
  const networkId = await createDefaultNetwork(db, {
    projectId: adminProject,
    networkName: 'private',
    networkCidr: '10.77.0.0/22',
    networkVlan: 100,
    networkMtu: 1500,
    dnsServers: ['10.0.0.53'],
    quarantineSeconds: 0,
  })
  const image = await addImage(db, {
    name: 'debian-12',
    reference: `127.0.0.1:5010/images/debian-12@sha256:${'a'.repeat(64)}`,
    sizeBytes: 100_000_000,
    properties: { os_distro: 'debian' },
  })
  await addUser(db, 'mia', 'shop', 'member')
  await addUser(db, 'rita', 'shop', 'reader')
  await addUser(db, 'otto', 'elsewhere', 'member')
  for (const resource of ['instances', 'cores', 'ram'] as const) await setQuota(db, 'project-shop', resource, -1)
  const book = new ContractBook()
  const { url, close } = await listen(db, { databaseUrl, ...changed }, { registry, book })
  const judged =
    (client: Client): Client =>
    async (request, asked) => {
      const answer = await client(request, asked)
      book.verify()
      return answer
    }
  // Where another service says who calls, tokens are from there.
  const { keystone } = changed.identity ?? {}
  const issuer = keystone ? new URL(keystone).origin : url
  const as = async (user: string, project: string): Promise<Client> =>
    judged(clientOf(url, await tokenOf(issuer, user, project)))
  return {
    url,
    databaseUrl,
    db,
    networkId,
    projectId: 'project-shop',
    imageId: image.id,
    nobody: judged(clientOf(url, null)),
    admin: await as('admin', 'admin'),
    member: await as('mia', 'shop'),
    reader: await as('rita', 'shop'),
    stranger: await as('otto', 'elsewhere'),
    book,
    stop: async () => {
      await close()
      await drop()
      book.verify()
    },
  }
}

const message = z.record(z.string(), z.object({ code: z.number(), message: z.string() }))

/** The name and the text of Nova's fault. */
export function faultIn({ body }: Answer): readonly [name: string, message: string] {
  const [entry] = Object.entries(message.parse(body))
  if (!entry) throw new Error('an empty fault')
  return [entry[0], entry[1].message]
}

const created = z.object({ server: z.object({ id: z.uuid() }) })

/** The least that a server needs. */
export function bootBody({ imageId, networkId }: TestApi, more: Readonly<Record<string, unknown>> = {}): unknown {
  return { server: { name: 'web', imageRef: imageId, flavorRef: '1', networks: [{ uuid: networkId }], ...more } }
}

/** A server of the member's; it waits for a host. */
export async function boot(api: TestApi, more: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const answer = await api.member('POST /compute/v2.1/servers', { body: bootBody(api, more) })
  if (answer.status !== 202) throw new Error(`not booted: ${JSON.stringify(answer.body)}`)
  return created.parse(answer.body).server.id
}

/** What an agent would have done: the server stands on a host, in this state. */
export async function place(db: Db, id: string, vmState: VmState = 'active'): Promise<void> {
  const powers: Readonly<Partial<Record<VmState, PowerState>>> = { active: 1, paused: 3, suspended: 7 }
  const powerState = powers[vmState] ?? 4
  await db('servers')
    .where({ id })
    .update({ host: 'host-1', vmState, taskState: null, powerState, launchedAt: db.fn.now() })
}

/** A host that has just given a sign of life. */
export async function addHost(
  db: Db,
  name: string,
  agent: { readonly url: string; readonly token: string } | null = null,
): Promise<void> {
  await db('hosts').insert({
    name,
    id: randomUUID(),
    vcpus: 4,
    memoryMiB: 8192,
    diskGiB: 100,
    cpuRatio: 4,
    memoryRatio: 1,
    diskRatio: 1,
    reservedMemoryMiB: 512,
    hypervisorType: 'docker',
    hypervisorVersion: '27.5.1',
    agentUrl: agent?.url ?? null,
    agentToken: agent?.token ?? '',
  })
}

/** Roles outlive the database of a test. */
export async function dropAgentRoles(db: Db): Promise<void> {
  const { rows } = await db.raw<{ rows: { rolname: string }[] }>(
    `select rolname from pg_roles where starts_with(rolname, current_database() || '_agent') order by length(rolname) desc`,
  )
  for (const { rolname } of rows) {
    await db.raw('drop owned by ??', [rolname])
    await db.raw('drop role ??', [rolname])
  }
}

const job = z.object({ taskIdentifier: z.string(), payload: z.record(z.string(), z.unknown()) })
export type Job = z.output<typeof job>

/** Jobs that wait, oldest first. */
export async function jobsOf(db: Db, serverId: string): Promise<readonly Job[]> {
  const { rows } = await db.raw<{ rows: unknown[] }>(
    `select t.identifier as task_identifier, j.payload from graphile_worker._private_jobs j
     join graphile_worker._private_tasks t on t.id = j.task_id
     where j.payload->>'serverId' = ? order by j.id`,
    [serverId],
  )
  return z.array(job).parse(rows)
}

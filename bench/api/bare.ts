/** The floors of a benchmark of the API: pages served by a bare express, and the rows of a new server written by a bare transaction. */
import { spawn } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { z } from 'zod'
import type { Db } from '../../db/connect.ts'
import { nodeFlagsOf } from '../../machine/services.ts'
import type { Ground } from './ground.ts'

export interface Statement {
  readonly text: string
  readonly values: readonly unknown[]
}

const asked = z.object({ sql: z.string(), bindings: z.array(z.unknown()) })

/** The one statement that `work` sends. @throws Error when it sends none, or several */
export async function statementOf(db: Db, work: () => Promise<unknown>): Promise<Statement> {
  const seen: Statement[] = []
  const note = (query: unknown): void => {
    const { sql: text, bindings: values } = asked.parse(query)
    seen.push({ text, values })
  }
  db.on('query', note)
  await work()
  db.removeListener('query', note)
  const [statement, ...others] = seen
  if (!statement || others.length > 0) throw new Error(`${seen.length} statements where one was expected`)
  return statement
}

export interface Floor {
  readonly url: string
  /** From now on GET url/name runs the statement and sends the bytes. */
  readonly serve: (name: string, statement: Statement, bytes: Buffer) => Promise<void>
  readonly stop: () => Promise<void>
}

export async function startFloor(databaseUrl: string): Promise<Floor> {
  const path = fileURLToPath(new URL('floor.ts', import.meta.url))
  const child = spawn(process.execPath, [...nodeFlagsOf('api'), path, databaseUrl], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const [port] = z
    .tuple([z.number()])
    .rest(z.unknown())
    .parse(await once(child, 'message'))
  return {
    url: `http://127.0.0.1:${port}`,
    serve: async (name, { text, values }, bytes) => {
      child.send({ name, text, values: [...values], bytes: bytes.toString() })
      await once(child, 'message')
    },
    stop: async () => {
      child.kill('SIGTERM')
      await once(child, 'exit')
    },
  }
}

const words = {
  server: `insert into servers (id, project_id, user_id, name, hostname, vm_state, task_state, flavor, image_id, image_reference,
             reservation_id) values ($1, $2, $3, $4, $4, 'building', 'scheduling', $5, $6, $7, 'r-floor')`,
  port: `insert into ports (id, network_id, project_id, mac, device_id, device_owner, server_id, position, is_owned_by_server)
           values ($1, $2, $3, $4, $5, 'compute:nova', $5::text::uuid, 0, true)`,
  group: 'insert into port_security_groups values ($1, $2)',
  address: `insert into addresses (subnet_id, address, state, port_id)
              select id, host(network(cidr))::inet + $2::bigint, 'used', $3 from subnets where id = $1`,
  action: `insert into server_actions (server_id, request_id, action, user_id, project_id) values ($1, $2, 'create', $3, $4)`,
  job: `select graphile_worker.add_job('schedule', $1::json, max_attempts => 25)`,
} as const

/** Far beyond what the API hands out in a run. */
const firstAddress = 500_000

/** Clients that write the rows of a new server, each kind of row by one prepared statement, in one transaction. */
export class BareCreator {
  readonly #pool: pg.Pool
  readonly #ground: Ground
  #made = 0

  constructor(databaseUrl: string, ground: Ground, clients: number) {
    this.#pool = new pg.Pool({ connectionString: databaseUrl, max: clients, min: clients })
    this.#ground = ground
  }

  async create(): Promise<void> {
    const { projectId, userId, networkId, subnetId, imageId, imageReference, securityGroupId, flavor } = this.#ground
    const [serverId, portId, requestId] = [randomUUID(), randomUUID(), `req-${randomUUID()}`]
    this.#made += 1
    const mac = `06${randomBytes(5).toString('hex')}`
    const job = JSON.stringify({ serverId, requestId, adminPassword: 'aaaaaaaaaaaa' })
    const rows: readonly [keyof typeof words, readonly unknown[]][] = [
      ['server', [serverId, projectId, userId, `floor-${this.#made}`, flavor, imageId, imageReference]],
      ['port', [portId, networkId, projectId, mac, serverId]],
      ['group', [portId, securityGroupId]],
      ['address', [subnetId, firstAddress + this.#made, portId]],
      ['action', [serverId, requestId, userId, projectId]],
      ['job', [job]],
    ]
    const client = await this.#pool.connect()
    try {
      await client.query('begin')
      for (const [name, values] of rows) await client.query({ name, text: words[name], values: [...values] })
      await client.query('commit')
    } finally {
      client.release()
    }
  }

  async close(): Promise<void> {
    await this.#pool.end()
  }
}

/** berth host drain: every server of a host moves to others. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import { z } from 'zod'
import { Conflict, Invalid, messageOf, Unavailable } from '../../core/errors.ts'
import type { Client } from '../client.ts'
import { lastFailure } from '../failure.ts'
import { movingNow } from '../migration.ts'
import type { Terminal } from '../terminal.ts'
import { whole } from '../whole.ts'
import { setState } from './state.ts'

const microversion = '2.88'
const pollMs = 1000
const server = z.object({
  id: z.string(),
  name: z.string(),
  status: z.string(),
  'OS-EXT-SRV-ATTR:host': z.string().nullable(),
  'OS-EXT-STS:task_state': z.string().nullable(),
})
type Server = z.output<typeof server>

async function serversOn(client: Client, host: string): Promise<readonly Server[]> {
  const shape = z.object({ servers: z.array(server) })
  const found: Server[] = []
  for (;;) {
    const query = { all_tenants: '1', host, limit: '500', marker: found.at(-1)?.id }
    const { servers } = await client.ask('/compute/v2.1/servers/detail', { shape, microversion, query })
    found.push(...servers)
    if (servers.length < 500) return found
  }
}

async function show(client: Client, id: string): Promise<Server> {
  return (await client.ask(`/compute/v2.1/servers/${id}`, { shape: z.object({ server }), microversion })).server
}

async function act(client: Client, id: string, body: unknown): Promise<void> {
  await client.ask(`/compute/v2.1/servers/${id}/action`, { shape: z.unknown(), microversion, method: 'POST', body })
}

/** @returns the server when its task has ended */
async function settled(client: Client, id: string): Promise<Server> {
  for (;;) {
    const now = await show(client, id)
    if (now['OS-EXT-STS:task_state'] === null) return now
    await sleep(pollMs)
  }
}

/** Its disk goes over, it boots there, and only then what stood here goes. @throws Unavailable when it stayed */
async function move(client: Client, one: Server, from: string): Promise<string> {
  if (one.status !== 'VERIFY_RESIZE') {
    if (one.status !== 'ACTIVE' && one.status !== 'SHUTOFF')
      throw new Conflict(`it is ${one.status}: only an ACTIVE or SHUTOFF server moves`)
    if (one['OS-EXT-STS:task_state'] !== 'resize_migrating') await act(client, one.id, { migrate: null })
  }
  const moved = await settled(client, one.id)
  const host = moved['OS-EXT-SRV-ATTR:host']
  if (host === null || host === from || moved.status !== 'VERIFY_RESIZE')
    throw new Unavailable((await lastFailure(client, one.id)) ?? `it is ${moved.status} on ${String(host)}`)
  await act(client, one.id, { confirmResize: null })
  await settled(client, one.id)
  return host
}

/** Servers that an earlier drain moved and did not live to confirm. */
async function unconfirmed(client: Client, host: string): Promise<readonly Server[]> {
  const shape = z.object({ migrations: z.array(z.object({ instance_uuid: z.string() })) })
  const query = { source_compute: host, status: 'finished', migration_type: 'migration' }
  const { migrations } = await client.ask('/compute/v2.1/os-migrations', { shape, microversion, query })
  return await Promise.all(migrations.map(({ instance_uuid: id }) => show(client, id)))
}

/** Hosts that are alive, whether or not they take servers. */
async function alive(client: Client): Promise<ReadonlySet<string>> {
  const service = z.object({ host: z.string(), state: z.string(), forced_down: z.boolean() })
  const shape = z.object({ services: z.array(service) })
  const query = { binary: 'nova-compute' }
  const { services } = await client.ask('/compute/v2.1/os-services', { shape, microversion, query })
  return new Set(services.filter((one) => one.state === 'up' && !one.forced_down).map(({ host }) => host))
}

/** One drain: what is left to do, what went wrong, and what it tells meanwhile. */
class Drain {
  readonly #client: Client
  readonly #terminal: Terminal
  readonly #host: string
  readonly #waiting: Server[]
  readonly #total: number
  /** hosts that were there when it began */
  readonly #others: ReadonlySet<string>
  #done = 0
  #stopped: string | null = null
  #isStatusShown = false

  constructor(
    client: Client,
    terminal: Terminal,
    begin: { readonly host: string; readonly servers: readonly Server[]; readonly others: ReadonlySet<string> },
  ) {
    this.#client = client
    this.#terminal = terminal
    this.#host = begin.host
    this.#waiting = [...begin.servers]
    this.#total = begin.servers.length
    this.#others = begin.others
  }

  #tell(text: string): void {
    this.#terminal.print(`${this.#isStatusShown ? '\r\u001B[2K' : ''}${text}\n`)
    this.#isStatusShown = false
  }

  /** A host fewer is one fewer to hold what this one gives away: whoever drains decides anew. */
  async #checkOthers(): Promise<void> {
    const now = await alive(this.#client)
    const lost = [...this.#others].filter((host) => !now.has(host))
    if (lost.length > 0) this.#stopped ??= `${lost.join(', ')} went down meanwhile`
  }

  async #work(): Promise<void> {
    for (;;) {
      await this.#checkOthers()
      const one = this.#stopped === null ? this.#waiting.shift() : undefined
      if (!one) return
      const began = performance.now()
      try {
        const target = await move(this.#client, one, this.#host)
        this.#done += 1
        const seconds = ((performance.now() - began) / 1000).toFixed(1)
        this.#tell(`  ✓ ${this.#done}/${this.#total} ${one.name} -> ${target}   ${seconds} s`)
      } catch (error) {
        // What fails once may fail for all: nothing more is begun.
        this.#stopped ??= `${one.name} stays`
        this.#tell(`  ✗ ${one.name} (${one.id}) stays: ${messageOf(error)}`)
      }
    }
  }

  /** Where a person looks on, the last line says how far those are that are under way. */
  async #showStatus(isOver: () => boolean): Promise<void> {
    while (this.#terminal.isLive === true && !isOver()) {
      const text = await movingNow(this.#client, this.#host).catch(() => '')
      if (text !== '' && !isOver()) {
        this.#terminal.print(`\r\u001B[2K  … ${text}`)
        this.#isStatusShown = true
      }
      await sleep(pollMs)
    }
  }

  /** @returns whether the host is empty */
  async run(width: number): Promise<boolean> {
    let isOver = false
    const status = this.#showStatus(() => isOver)
    try {
      await Promise.all(Array.from({ length: width }, () => this.#work()))
    } finally {
      isOver = true
      await status
    }
    if (this.#stopped === null) {
      this.#tell(`${this.#host} is empty; ./berth host enable ${this.#host} brings it back`)
      return true
    }
    this.#tell(
      `stopped, ${this.#stopped}: ${this.#done} of ${this.#total} moved. Run it again when that is mended: it goes on.`,
    )
    return false
  }
}

/** @returns whether the host is empty */
async function drain(terminal: Terminal, host: string, width: number): Promise<boolean> {
  if (width < 1) throw new Invalid('--parallel 0: one at a time at least')
  const client = await terminal.client()
  await setState(client, host, 'draining')
  const others = new Set([...(await alive(client))].filter((one) => one !== host))
  const servers = [...(await unconfirmed(client, host)), ...(await serversOn(client, host))]
  terminal.print(`${host} takes no new servers; ${servers.length} to move, ${width} at a time\n`)
  return await new Drain(client, terminal, { host, servers, others }).run(width)
}

export function addDrain(command: Command, terminal: Terminal): void {
  command
    .command('drain')
    .description('move every server to other hosts; broken off, it goes on when it is run again')
    .argument('<host>')
    .option('-n, --parallel <count>', 'servers on the move at once', whole, 2)
    .action(async (host: string, { parallel }: { readonly parallel: number }) => {
      if (!(await drain(terminal, host, parallel))) process.exitCode = 1
    })
}

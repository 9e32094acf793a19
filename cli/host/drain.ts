/** berth host drain: every server of a host moves to others. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import { z } from 'zod'
import { CloudError, Conflict, Invalid, messageOf, Unavailable } from '../../core/errors.ts'
import type { Client } from '../client.ts'
import { lastFailure } from '../failure.ts'
import { movingNow } from '../migration.ts'
import { placedServer, type PlacedServer } from '../placed-server.ts'
import type { Terminal } from '../terminal.ts'
import { whole } from '../whole.ts'
import { oneHost, pathOf } from './hosts.ts'
import { setState } from './state.ts'

const microversion = '2.88'
const pollMs = 1000

async function serversOn(client: Client, host: string): Promise<readonly PlacedServer[]> {
  const shape = z.object({ servers: z.array(placedServer) })
  const found: PlacedServer[] = []
  for (;;) {
    const query = { all_tenants: '1', host, limit: '500', marker: found.at(-1)?.id }
    const { servers } = await client.ask('/compute/v2.1/servers/detail', { shape, microversion, query })
    found.push(...servers)
    if (servers.length < 500) return found
  }
}

async function show(client: Client, id: string): Promise<PlacedServer> {
  return (await client.ask(`/compute/v2.1/servers/${id}`, { shape: z.object({ server: placedServer }), microversion }))
    .server
}

/** What somebody else, another drain perhaps, has begun since it was looked at is not begun again. */
async function act(client: Client, { id, status }: PlacedServer, body: unknown): Promise<void> {
  try {
    await client.ask(`/compute/v2.1/servers/${id}/action`, { shape: z.unknown(), microversion, method: 'POST', body })
  } catch (error) {
    if (!(error instanceof CloudError) || error.kind === 'unavailable') throw error
    const now = await show(client, id)
    if (now['OS-EXT-STS:task_state'] === null && now.status === status) throw error
  }
}

/** @returns the server when its task has ended */
async function settled(client: Client, id: string): Promise<PlacedServer> {
  for (;;) {
    const now = await show(client, id)
    if (now['OS-EXT-STS:task_state'] === null) return now
    await sleep(pollMs)
  }
}

/** Ids of servers that left this host, and whose moves nobody has confirmed yet. */
async function unconfirmed(client: Client, host: string): Promise<readonly string[]> {
  const shape = z.object({ migrations: z.array(z.object({ instance_uuid: z.string() })) })
  const query = { source_compute: host, status: 'finished', migration_type: 'migration' }
  const { migrations } = await client.ask('/compute/v2.1/os-migrations', { shape, microversion, query })
  return migrations.map(({ instance_uuid: id }) => id)
}

/** Its disk goes over, and it boots there; what is done to it meanwhile is waited for. @throws Conflict, Unavailable when it stays */
async function carried(client: Client, id: string, from: string): Promise<PlacedServer> {
  const now = await settled(client, id)
  if (now['OS-EXT-SRV-ATTR:host'] !== from || now.status === 'VERIFY_RESIZE') return now
  if (now.status !== 'ACTIVE' && now.status !== 'SHUTOFF')
    throw new Conflict(`it is ${now.status}: only an ACTIVE or SHUTOFF server moves`)
  await act(client, now, { migrate: null })
  return await settled(client, id)
}

/** Only when it runs elsewhere what stood here goes. @returns where it is @throws Conflict, Unavailable when it stays */
async function move(client: Client, id: string, from: string): Promise<string> {
  const moved = await carried(client, id, from)
  const host = moved['OS-EXT-SRV-ATTR:host']
  if (host === null || host === from)
    throw new Unavailable((await lastFailure(client, id)) ?? `it is ${moved.status} on ${String(host)}`)
  // A resize that its user asked for is the user's to confirm.
  if (moved.status !== 'VERIFY_RESIZE' || !(await unconfirmed(client, from)).includes(id)) return host
  await act(client, moved, { confirmResize: null })
  await settled(client, id)
  return host
}

/** Whether it still is to be emptied: somebody may have enabled it again. */
async function takesServers(client: Client, name: string): Promise<boolean> {
  return (await client.ask(pathOf(name), { shape: oneHost })).host.state === 'up'
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
  readonly #waiting: PlacedServer[]
  readonly #total: number
  /** hosts that were there when it began */
  readonly #others: ReadonlySet<string>
  #done = 0
  #stopped: string | null = null
  #isStatusShown = false

  constructor(
    client: Client,
    terminal: Terminal,
    begin: { readonly host: string; readonly servers: readonly PlacedServer[]; readonly others: ReadonlySet<string> },
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

  /** A host fewer is one fewer to hold what this one gives away: whoever drains decides anew, also when somebody enabled this one. */
  async #checkHosts(): Promise<void> {
    if (await takesServers(this.#client, this.#host)) this.#stopped ??= `${this.#host} was enabled meanwhile`
    const now = await alive(this.#client)
    const lost = [...this.#others].filter((host) => !now.has(host))
    if (lost.length > 0) this.#stopped ??= `${lost.join(', ')} went down meanwhile`
  }

  async #work(): Promise<void> {
    for (;;) {
      await this.#checkHosts()
      const one = this.#stopped === null ? this.#waiting.shift() : undefined
      if (!one) return
      const began = performance.now()
      try {
        const target = await move(this.#client, one.id, this.#host)
        this.#done += 1
        const seconds = ((performance.now() - began) / 1000).toFixed(1)
        this.#tell(`  ✓ ${this.#done}/${this.#total} ${one.name} -> ${target}   ${seconds} s`)
      } catch (error) {
        if (error instanceof CloudError && error.kind === 'not-found') {
          this.#done += 1
          this.#tell(`  ✓ ${this.#done}/${this.#total} ${one.name} was deleted meanwhile`)
          continue
        }
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
  const left = await Promise.all((await unconfirmed(client, host)).map((id) => show(client, id)))
  const servers = [...left, ...(await serversOn(client, host))]
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

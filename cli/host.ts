/** berth host: the hosts of a cloud, and how their servers leave them. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Command } from 'commander'
import { z } from 'zod'
import { Conflict, Invalid, messageOf, Unavailable } from '../core/errors.ts'
import type { Client } from './client.ts'
import { addInventory, setState } from './hosts.ts'
import type { Terminal } from './terminal.ts'

const microversion = '2.88'
const server = z.object({
  id: z.string(),
  name: z.string(),
  status: z.string(),
  'OS-EXT-SRV-ATTR:host': z.string().nullable(),
  'OS-EXT-STS:task_state': z.string().nullable(),
})
type Server = z.output<typeof server>
const pollMs = 1000

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

/** What the last action of a server says of its failure. */
export async function lastFailure(client: Client, id: string): Promise<string | null> {
  const path = `/compute/v2.1/servers/${id}/os-instance-actions`
  const actions = z.object({ instanceActions: z.array(z.object({ action: z.string(), request_id: z.string() })) })
  const [last] = (await client.ask(path, { shape: actions, microversion })).instanceActions
  if (!last) return null
  const event = z.object({ event: z.string(), result: z.string().nullable(), details: z.string().nullable() })
  const one = z.object({ instanceAction: z.object({ events: z.array(event) }) })
  const { events } = (await client.ask(`${path}/${last.request_id}`, { shape: one, microversion })).instanceAction
  const failed = events.find(({ result }) => result === 'Error')
  return failed ? `${last.action}: ${failed.details ?? failed.event}` : null
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
    await act(client, one.id, { migrate: null })
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

interface DrainOptions {
  readonly parallel: string
}

/** @returns whether the host is empty */
async function drain({ client: open, print }: Terminal, host: string, { parallel }: DrainOptions): Promise<boolean> {
  const width = Number(parallel)
  if (!Number.isInteger(width) || width < 1)
    throw new Invalid(`--parallel ${parallel}: a whole number from 1 is needed`)
  const client = await open()
  await setState(client, host, 'draining')
  const waiting = [...(await unconfirmed(client, host)), ...(await serversOn(client, host))]
  const total = waiting.length
  print(`${host} takes no new servers; ${total} to move, ${width} at a time\n`)
  let [done, failed] = [0, 0]
  const work = async (): Promise<void> => {
    // What fails once may fail for all: nothing more is begun.
    for (let one = waiting.shift(); one && failed === 0; one = waiting.shift()) {
      const began = performance.now()
      try {
        const target = await move(client, one, host)
        done += 1
        print(`  ✓ ${done}/${total} ${one.name} -> ${target}   ${((performance.now() - began) / 1000).toFixed(1)} s\n`)
      } catch (error) {
        failed += 1
        print(`  ✗ ${one.name} (${one.id}) stays: ${messageOf(error)}\n`)
      }
    }
  }
  await Promise.all(Array.from({ length: width }, work))
  if (failed > 0) print(`stopped: ${done} of ${total} moved. Mend what is named above and run it again: it goes on.\n`)
  else print(`${host} is empty; ./berth host enable ${host} brings it back\n`)
  return failed === 0
}

export function hostCommand(terminal: Terminal): Command {
  const command = new Command('host').description('hosts: list, show, set, disable, maintenance, enable, drain')
  addInventory(command, terminal)
  command
    .command('drain')
    .description('move every server to other hosts; broken off, it goes on when it is run again')
    .argument('<host>')
    .option('-n, --parallel <count>', 'servers on the move at once', '2')
    .action(async (host: string, options: DrainOptions) => {
      if (!(await drain(terminal, host, options))) process.exitCode = 1
    })
  return command
}

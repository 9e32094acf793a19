/** berth server: what a cloud knows of a server beyond what clients show. */
import { Command } from 'commander'
import { z } from 'zod'
import { NotFound } from '../core/errors.ts'
import { isUuid } from '../core/uuid.ts'
import type { Client } from './client.ts'
import { lastFailure } from './failure.ts'
import { placedServer } from './placed-server.ts'
import { exactName } from './server-name.ts'
import type { Terminal } from './terminal.ts'

const server = placedServer.extend({
  fault: z.object({ message: z.string(), created: z.string() }).optional(),
})

async function find(client: Client, name: string): Promise<z.output<typeof server>> {
  const shape = z.object({ servers: z.array(server) })
  const query = { all_tenants: '1', ...(isUuid(name) ? { uuid: name } : { name: exactName(name) }) }
  const [found] = (await client.ask('/compute/v2.1/servers/detail', { shape, query })).servers
  if (!found) throw new NotFound('Instance', name)
  return found
}

async function why({ client: open, print }: Terminal, name: string): Promise<void> {
  const client = await open()
  const found = await find(client, name)
  const task = found['OS-EXT-STS:task_state']
  const host = found['OS-EXT-SRV-ATTR:host']
  print(`${found.name} (${found.id}) is ${found.status} ${host === null ? 'on no host' : `on ${host}`}\n`)
  if (task !== null) print(`  at work: ${task}\n`)
  if (found.fault) print(`  fault of ${found.fault.created}: ${found.fault.message}\n`)
  const failure = await lastFailure(client, found.id)
  print(failure === null ? '  its last action did not fail\n' : `  its last action failed: ${failure}\n`)
}

export function serverCommand(terminal: Terminal): Command {
  const command = new Command('server').description('servers: why')
  command
    .command('why')
    .description('why a server is where and what it is: its fault, and what its last action said')
    .argument('<server>', 'name or id')
    .action((name: string) => why(terminal, name))
  return command
}

/** berth backup: backups that the cloud takes by itself. */
import { Command } from 'commander'
import { z } from 'zod'
import { Invalid, NotFound } from '../core/errors.ts'
import { isUuid } from '../core/uuid.ts'
import type { Client } from './client.ts'
import { exactName } from './server-name.ts'
import { table } from './table.ts'
import type { Terminal } from './terminal.ts'
import { whole } from './whole.ts'

const path = '/berth/v1/backup-policies'
const policy = z.object({
  id: z.string(),
  name: z.string(),
  project_id: z.string(),
  server_id: z.string().nullable(),
  interval_seconds: z.number(),
  keep: z.number(),
  enabled: z.boolean(),
})
type Policy = z.output<typeof policy>

const unitSeconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 }

/** @param text such as '15m', '6h' or '1d' */
function secondsOf(text: string): number {
  const [, count, unit] = /^(\d+)([smhd])$/.exec(text) ?? []
  const factor = unitSeconds[unit ?? '']
  if (count === undefined || factor === undefined) throw new Invalid(`--every ${text}: a number with s, m, h or d`)
  return Number(count) * factor
}

function durationOf(seconds: number): string {
  const [unit, factor] = Object.entries(unitSeconds).findLast(([, one]) => seconds % one === 0) ?? ['s', 1]
  return `${seconds / factor}${unit}`
}

async function serverId(client: Client, name: string): Promise<string> {
  if (isUuid(name)) return name
  const shape = z.object({ servers: z.array(z.object({ id: z.string() })) })
  const { servers } = await client.ask('/compute/v2.1/servers', { shape, query: { name: exactName(name) } })
  const [found] = servers
  if (!found) throw new NotFound('Instance', name)
  return found.id
}

interface Wanted {
  readonly every: string
  readonly keep: number
  readonly server?: string
  readonly project?: string
  readonly name: string
  readonly off?: boolean
}

async function set({ client: open, print }: Terminal, wanted: Wanted): Promise<void> {
  const body = { name: wanted.name, interval_seconds: secondsOf(wanted.every), keep: wanted.keep }
  const client = await open()
  const target = {
    ...(wanted.server === undefined ? {} : { server_id: await serverId(client, wanted.server) }),
    ...(wanted.project === undefined ? {} : { project_id: wanted.project }),
    enabled: wanted.off !== true,
  }
  const shape = z.object({ backup_policy: policy })
  const made = (await client.ask(path, { shape, method: 'PUT', body: { ...body, ...target } })).backup_policy
  print(table([rowOf(made)]))
}

function rowOf({ id, name, project_id, server_id, interval_seconds, keep, enabled }: Policy) {
  const server = server_id ?? 'all others'
  return {
    id,
    project: project_id,
    server,
    every: durationOf(interval_seconds),
    keep,
    name,
    on: enabled ? 'yes' : 'no',
  }
}

async function list({ client, print }: Terminal): Promise<void> {
  const shape = z.object({ backup_policies: z.array(policy) })
  print(table((await (await client()).ask(path, { shape })).backup_policies.map(rowOf)))
}

async function remove({ client, print }: Terminal, id: string): Promise<void> {
  await (await client()).ask(`${path}/${encodeURIComponent(id)}`, { shape: z.null(), method: 'DELETE' })
  print(`${id} is gone; the backups that it had taken stay\n`)
}

export function backupCommand(terminal: Terminal): Command {
  const command = new Command('backup').description('backups that the cloud takes by itself: list, set, remove')
  command
    .command('list')
    .description('the policies: whose backups, how often, how many are kept')
    .action(() => list(terminal))
  command
    .command('set')
    .description('backups of one server, or of all of a project that have no policy of their own')
    .requiredOption('--every <time>', 'such as 15m, 6h or 1d; a minute at least')
    .requiredOption('--keep <count>', 'the newest so many stay', whole)
    .option('--server <server>', 'name or id')
    .option('--project <id>', 'none = your own')
    .option('--name <name>', 'of the backups, what OpenStack calls backup_type', 'periodic')
    .option('--off', "take none: a server's own policy that is off shields it from its project's")
    .action((wanted: Wanted) => set(terminal, wanted))
  command
    .command('remove')
    .description('no more backups by this policy')
    .argument('<id>')
    .action((id: string) => remove(terminal, id))
  return command
}

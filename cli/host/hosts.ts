/** berth host list, show: the inventory of a cloud's hosts. */
import type { Command } from 'commander'
import { z } from 'zod'
import { hostStates } from '../../core/host.ts'
import { table } from '../table.ts'
import { show, type Shown, type Terminal } from '../terminal.ts'

const amount = z.object({ vcpus: z.number(), memory_mib: z.number(), disk_gib: z.number() })
const host = z.object({
  name: z.string(),
  state: z.enum(hostStates),
  reason: z.string().nullable(),
  problem: z.string().nullable(),
  zone: z.string(),
  rack: z.string().nullable(),
  aggregates: z.array(z.string()),
  traits: z.array(z.string()),
  servers: z.number(),
  size: amount,
  ratios: z.object({ cpu: z.number(), memory: z.number(), disk: z.number() }),
  reserved: amount,
  promised: amount,
  free: amount,
  load: z.object({ per_cpu: z.number(), available_memory_mib: z.number().nullable() }),
  set: z.record(z.string(), z.unknown()),
  hypervisor: z.string(),
  heartbeat_at: z.string(),
  silent_seconds: z.number(),
  started_at: z.string(),
})
type Host = z.output<typeof host>
export const oneHost = z.object({ host })
const root = '/berth/v1/hosts'

export function pathOf(name: string): string {
  return `${root}/${encodeURIComponent(name)}`
}

/** Why a host gets no servers: its state, or what its agent says. */
function remark({ reason, problem }: Host): string | null {
  return [reason, problem].filter((text) => text !== null).join('; ') || null
}

function inventory(hosts: readonly Host[]): string {
  const rows = hosts.map((each) => ({
    host: each.name,
    state: each.state,
    zone: each.zone,
    rack: each.rack,
    servers: each.servers,
    'free vcpus': each.free.vcpus,
    'free mib': each.free.memory_mib,
    'free gib': each.free.disk_gib,
    load: each.load.per_cpu,
    reason: remark(each),
  }))
  return table(rows)
}

function sizes({ size, ratios, reserved, promised, free }: Host): string {
  const of = [
    ['vcpus', 'vcpus', ratios.cpu],
    ['MiB of memory', 'memory_mib', ratios.memory],
    ['GiB of disk', 'disk_gib', ratios.disk],
  ] as const
  return table(
    of.map(([what, key, ratio]) => ({
      what,
      has: size[key],
      reserved: reserved[key],
      ratio,
      promised: promised[key],
      free: free[key],
    })),
  )
}

export function shownHost(of: Host): string {
  const facts = [
    ['state', [of.state, remark(of)].filter((text) => text !== null).join(': ')],
    ['zone', of.zone],
    ['rack', of.rack ?? '-'],
    ['aggregates', of.aggregates.join(', ') || '-'],
    ['traits', of.traits.join(', ') || '-'],
    ['hypervisor', of.hypervisor],
    ['heartbeat', `${of.heartbeat_at} (${of.silent_seconds} s ago), up since ${of.started_at}`],
    ['load', `${of.load.per_cpu} per CPU, ${of.load.available_memory_mib ?? '-'} MiB available`],
    ['servers', String(of.servers)],
    ['set by an operator', JSON.stringify(of.set)],
  ]
  const width = Math.max(...facts.map(([name = '']) => name.length))
  const lines = facts.map(([name = '', value = '']) => `${name.padEnd(width)}  ${value}`)
  return `${of.name}\n${lines.map((line) => `  ${line}\n`).join('')}${sizes(of).replaceAll(/^/gm, '  ').trimEnd()}\n`
}

export function addHostReaders(command: Command, terminal: Terminal): void {
  command
    .command('list')
    .description('every host: its state and why, servers, what is free, how busy it is')
    .option('--json', 'for programs')
    .action(async ({ json }: Shown) => {
      const { hosts } = await (await terminal.client()).ask(root, { shape: z.object({ hosts: z.array(host) }) })
      show(terminal, json, hosts, () => inventory(hosts))
    })
  command
    .command('show')
    .description('all of one host: size, ratios, reserved, promised, zone, aggregates, traits, heartbeat')
    .argument('<host>')
    .option('--json', 'for programs')
    .action(async (name: string, { json }: Shown) => {
      const { host: found } = await (await terminal.client()).ask(pathOf(name), { shape: oneHost })
      show(terminal, json, found, () => shownHost(found))
    })
}

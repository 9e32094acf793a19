/** berth host list, show, set: the inventory of a cloud's hosts. */
import type { Command } from 'commander'
import { z } from 'zod'
import { disabledStates, hostStates, type DisabledState } from '../core/host.ts'
import { Invalid } from '../core/errors.ts'
import type { Client } from './client.ts'
import { table } from './table.ts'
import type { Terminal } from './terminal.ts'

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
const one = z.object({ host })
const root = '/berth/v1/hosts'

interface Printed {
  readonly json?: boolean
}

function pathOf(name: string): string {
  return `${root}/${encodeURIComponent(name)}`
}

/** Why a host gets no servers: its state, or what its agent says. */
function remark({ reason, problem }: Host): string | null {
  return [reason, problem].filter((text) => text !== null).join('; ') || null
}

async function list({ client: open, print }: Terminal, { json = false }: Printed): Promise<void> {
  const { hosts } = await (await open()).ask(root, { shape: z.object({ hosts: z.array(host) }) })
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
  print(json ? `${JSON.stringify(hosts, null, 2)}\n` : table(rows))
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

function page(of: Host): string {
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

async function show({ client: open, print }: Terminal, name: string, { json = false }: Printed): Promise<void> {
  const { host: found } = await (await open()).ask(pathOf(name), { shape: one })
  print(json ? `${JSON.stringify(found, null, 2)}\n` : page(found))
}

/** The host takes new servers, or does not, and says why. */
export async function setState(
  client: Client,
  name: string,
  state: 'up' | DisabledState,
  reason: string | null = null,
): Promise<void> {
  const body = state === 'up' ? { state } : { state, reason }
  await client.ask(pathOf(name), { shape: one, method: 'PATCH', body })
}

/** The option of `set` -> the field, and whether it is a number. */
const settable = {
  cpuRatio: ['cpu_ratio', true],
  memoryRatio: ['memory_ratio', true],
  diskRatio: ['disk_ratio', true],
  reservedVcpus: ['reserved_vcpus', true],
  reservedMemory: ['reserved_memory_mib', true],
  reservedDisk: ['reserved_disk_gib', true],
  rack: ['rack', false],
} as const

interface SetOptions extends Printed, Readonly<Partial<Record<keyof typeof settable, string>>> {
  readonly trait?: readonly string[]
}

function fieldOf(option: keyof typeof settable, text: string): readonly [string, string | number | null] {
  const [field, isNumber] = settable[option]
  if (text === 'own') return [field, null]
  if (!isNumber) return [field, text]
  if (text.trim() === '' || Number.isNaN(Number(text)))
    throw new Invalid(`${field}: ${text} is neither a number nor 'own'`)
  return [field, Number(text)]
}

async function set(terminal: Terminal, name: string, options: SetOptions): Promise<void> {
  const keys: readonly (keyof typeof settable)[] = [
    'cpuRatio',
    'memoryRatio',
    'diskRatio',
    'reservedVcpus',
    'reservedMemory',
    'reservedDisk',
    'rack',
  ]
  const fields = keys.flatMap((key) => (options[key] === undefined ? [] : [fieldOf(key, options[key])]))
  const traits = options.trait?.filter((trait) => trait !== 'none')
  const body = { ...Object.fromEntries(fields), ...(traits === undefined ? {} : { traits }) }
  if (Object.keys(body).length === 0) throw new Invalid('nothing to set: --help shows what there is')
  await (await terminal.client()).ask(pathOf(name), { shape: one, method: 'PATCH', body })
  await show(terminal, name, options)
}

async function printToken({ client: open, print }: Terminal, { hours }: { readonly hours: string }): Promise<void> {
  const shape = z.object({ token: z.string(), expires_at: z.string(), url: z.string() })
  const body = { hours: Number(hours) }
  const {
    token,
    expires_at: until,
    url,
  } = await (
    await open()
  ).ask('/berth/v1/join-tokens', {
    shape,
    method: 'POST',
    body,
  })
  print(`on the machine that is to join, once, until ${until}:\n\n    ./berth agent join ${url} ${token}\n`)
}

export function addInventory(command: Command, terminal: Terminal): void {
  command
    .command('list')
    .description('every host: its state and why, servers, what is free, how busy it is')
    .option('--json', 'for programs')
    .action((options: Printed) => list(terminal, options))
  command
    .command('show')
    .description('all of one host: size, ratios, reserved, promised, zone, aggregates, traits, heartbeat')
    .argument('<host>')
    .option('--json', 'for programs')
    .action((name: string, options: Printed) => show(terminal, name, options))
  command
    .command('set')
    .description("what counts instead of the host's own settings; 'own' goes back to them")
    .argument('<host>')
    .option('--cpu-ratio <ratio>', 'vcpus promised per CPU')
    .option('--memory-ratio <ratio>', 'memory promised per memory')
    .option('--disk-ratio <ratio>', 'disk promised per disk')
    .option('--reserved-vcpus <count>', 'CPUs kept for the host itself')
    .option('--reserved-memory <MiB>', 'memory kept for the host itself')
    .option('--reserved-disk <GiB>', 'disk kept for the host itself')
    .option('--rack <name>', 'addresses of a subnet are spread over racks')
    .option('--trait <CUSTOM_NAME...>', "traits beside those of the machine, all of them; 'none' = no more")
    .option('--json', 'for programs')
    .action((name: string, options: SetOptions) => set(terminal, name, options))
  command
    .command('token')
    .description('a token by which one machine joins as a host')
    .option('--hours <count>', 'how long it can be used', '1')
    .action((options: { hours: string }) => printToken(terminal, options))
  command
    .command('disable')
    .description('no new servers; those that are there stay')
    .argument('<host>')
    .argument('[reason...]', 'said wherever the host is listed')
    .action(async (name: string, reason: readonly string[]) =>
      setState(await terminal.client(), name, disabledStates[0], reason.join(' ') || null),
    )
  command
    .command('maintenance')
    .description('as disable, and the list says that somebody works on it')
    .argument('<host>')
    .argument('[reason...]', 'said wherever the host is listed')
    .action(async (name: string, reason: readonly string[]) =>
      setState(await terminal.client(), name, 'maintenance', reason.join(' ') || null),
    )
  command
    .command('enable')
    .description('new servers again')
    .argument('<host>')
    .action(async (name: string) => setState(await terminal.client(), name, 'up'))
}

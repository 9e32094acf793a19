/** berth pool: addresses, whose they are, and who may have them. */
import { readFile, writeFile } from 'node:fs/promises'
import { Command, InvalidArgumentError } from 'commander'
import { z } from 'zod'
import { Invalid } from '../core/errors.ts'
import type { Client } from './client.ts'
import { drawMap } from './pool-map.ts'
import { table, type Row } from './table.ts'

const subnet = z.object({
  id: z.string(),
  cidr: z.string(),
  gateway: z.string().nullable(),
  ranges: z.array(z.object({ first: z.string(), last: z.string() })),
  quarantine_seconds: z.number(),
  warn_percent: z.number(),
  size: z.number(),
  used: z.number(),
  reserved: z.number(),
  quarantined: z.number(),
  free: z.number(),
  level: z.string(),
})
const pool = z.object({
  id: z.string(),
  name: z.string(),
  vlan: z.number().nullable(),
  mtu: z.number(),
  shared: z.boolean(),
  subnets: z.array(subnet),
})
type Pool = z.output<typeof pool>
const onePool = z.object({ pool })
const address = z.object({
  address: z.string(),
  pool: z.string(),
  state: z.string(),
  mac: z.string().nullable(),
  server_id: z.string().nullable(),
  name: z.string().nullable(),
  reserved_for: z.string().nullable(),
  note: z.string(),
  host: z.string().nullable(),
  since: z.string(),
  until: z.string().nullable(),
})
type Address = z.output<typeof address>
const addresses = z.object({ addresses: z.array(address) })
const verdict = z.object({
  imported: z.number(),
  bad: z.array(z.object({ line: z.number(), address: z.string(), reason: z.string() })),
  dry_run: z.boolean(),
})

/** What a command needs: a log-in when it is run, and a place to write. */
export interface Terminal {
  readonly client: () => Promise<Client>
  readonly print: (text: string) => void
}

interface Shown {
  readonly json?: boolean
}

function path(...parts: readonly string[]): string {
  return `/ipam/v1/pools${parts.map((part) => `/${encodeURIComponent(part)}`).join('')}`
}

function usageRows(pools: readonly Pool[]): readonly Row[] {
  return pools.flatMap(({ name, vlan, subnets }) =>
    subnets.map(({ cidr, size, used, reserved, quarantined, free, level }) => ({
      pool: name,
      vlan,
      subnet: cidr,
      size,
      used,
      reserved,
      quarantined,
      free,
      taken: `${size === 0 ? 100 : Math.round(((size - free) / size) * 100)} %`,
      level,
    })),
  )
}

function addressRows(found: readonly Address[]): readonly Row[] {
  return found.map(
    ({ address: text, pool: name, state, mac, name: holder, server_id: server, since, until, note }) => ({
      address: text,
      pool: name,
      state,
      name: holder,
      mac,
      server,
      since: since.slice(0, 19),
      until: until === null ? 'now' : until.slice(0, 19),
      note,
    }),
  )
}

function shownPool({ id, name, vlan, mtu, shared, subnets }: Pool): string {
  const lines = [
    `${name}  ${id}`,
    `  VLAN ${vlan ?? 'none'}, MTU ${mtu}, ${shared ? 'for every project' : 'for its project'}`,
    ...subnets.flatMap((one) => [
      `  ${one.cidr}, gateway ${one.gateway ?? 'none'}, ${one.free} of ${one.size} free (${one.level}, warns at ${one.warn_percent} %)`,
      `    used ${one.used}, reserved ${one.reserved}, in quarantine ${one.quarantined} (${one.quarantine_seconds} s)`,
      ...one.ranges.map(({ first, last }) => `    hands out ${first} to ${last}`),
    ]),
  ]
  return `${lines.join('\n')}\n`
}

function whole(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('a whole number is needed.')
  return Number(text)
}

/** '10.0.0.5' or '10.0.0.5-10.0.0.9' */
function rangeOf(text: string): { readonly first: string; readonly last: string } {
  const [first = '', last = first] = text.split('-')
  return { first, last }
}

function show(terminal: Terminal, isJson: boolean | undefined, value: unknown, text: () => string): void {
  terminal.print(isJson ? `${JSON.stringify(value, null, 2)}\n` : text())
}

function addReaders(command: Command, terminal: Terminal): void {
  const all = z.object({ pools: z.array(pool) })
  for (const [word, description] of [
    ['list', 'every pool with how full it is'],
    ['usage', 'the same as list'],
  ] as const)
    command
      .command(word)
      .description(description)
      .option('--json', 'for programs')
      .action(async ({ json }: Shown) => {
        const { pools } = await (await terminal.client()).ask('/ipam/v1/pools', { shape: all })
        show(terminal, json, pools, () => table(usageRows(pools)))
      })
  command
    .command('show')
    .description('one pool: its ranges and the addresses that are used or reserved')
    .argument('<pool>', 'name or id')
    .option('--json', 'for programs')
    .action(async (name: string, { json }: Shown) => {
      const client = await terminal.client()
      const found = await client.ask(path(name), { shape: onePool })
      const held = await client.ask(path(name, 'addresses'), { shape: addresses })
      show(
        terminal,
        json,
        { ...found.pool, ...held },
        () => `${shownPool(found.pool)}\n${table(addressRows(held.addresses))}`,
      )
    })
  command
    .command('find')
    .description('who holds an address and who held it before; by address, MAC, name or id of a server')
    .argument('<clue>')
    .option('--json', 'for programs')
    .action(async (clue: string, { json }: Shown) => {
      const query = { [clueOf(clue)]: clue }
      const found = await (await terminal.client()).ask('/ipam/v1/addresses', { shape: addresses, query })
      show(terminal, json, found.addresses, () => table(addressRows(found.addresses)))
    })
  command
    .command('map')
    .description('the pool as a picture')
    .argument('<pool>', 'name or id')
    .option('--subnet <cidr>', 'one of several')
    .action(async (name: string, query: { readonly subnet?: string }) => {
      terminal.print(await drawMap(await terminal.client(), path(name, 'map'), query))
    })
}

function clueOf(clue: string): 'address' | 'mac' | 'server_id' | 'name' {
  if (/^([0-9a-f]{2}[:-]){5}[0-9a-f]{2}$/i.test(clue)) return 'mac'
  if (z.uuid().safeParse(clue).success) return 'server_id'
  return z.union([z.ipv4(), z.ipv6()]).safeParse(clue).success ? 'address' : 'name'
}

interface NewPool {
  readonly vlan?: number
  readonly gateway?: string
  readonly range?: readonly string[]
  readonly dns?: readonly string[]
  readonly quarantine?: number
  readonly warn?: number
  readonly private?: boolean
}

function addPoolWriters(command: Command, terminal: Terminal): void {
  command
    .command('create')
    .description('a VLAN network with one subnet')
    .argument('<name>')
    .argument('<cidr>', 'such as 10.20.0.0/22')
    .option('--vlan <tag>', 'none = a free one', whole)
    .option('--gateway <address>', "none = the first address; 'none' = without")
    .option('--range <first-last...>', 'what is handed out; none = all')
    .option('--dns <address...>')
    .option('--quarantine <seconds>', 'how long a freed address rests', whole)
    .option('--warn <percent>', 'from this share of taken addresses on the pool warns', whole)
    .option('--private', 'for the own project only')
    .action(async (name: string, cidr: string, options: NewPool) => {
      const { vlan, gateway, range, dns, quarantine, warn } = options
      const body = {
        name,
        cidr,
        vlan,
        gateway: gateway === 'none' ? null : gateway,
        ranges: range?.map(rangeOf),
        dns,
        quarantine_seconds: quarantine,
        warn_percent: warn,
        shared: options.private !== true,
      }
      const made = await (await terminal.client()).ask(path(), { method: 'POST', body, shape: onePool })
      terminal.print(shownPool(made.pool))
    })
  for (const [word, description] of [
    ['grow', 'hand out these addresses too'],
    ['exclude', 'hand these addresses out no more; who has one keeps it'],
  ] as const)
    command
      .command(word)
      .description(description)
      .argument('<pool>', 'name or id')
      .argument('<first-last>')
      .action(async (name: string, range: string) => {
        const client = await terminal.client()
        const asked = { method: 'POST', body: rangeOf(range), shape: onePool } as const
        terminal.print(shownPool((await client.ask(path(name, word), asked)).pool))
      })
  command
    .command('delete')
    .description('a pool without ports')
    .argument('<pool>', 'name or id')
    .action(async (name: string) => {
      await (await terminal.client()).ask(path(name), { method: 'DELETE', shape: z.null() })
    })
}

function addAddressWriters(command: Command, terminal: Terminal): void {
  const one = z.object({ address })
  command
    .command('reserve')
    .description('hold an address: for the server of a name, or for nobody')
    .argument('<pool>', 'name or id')
    .argument('[address]', 'none = the next free one')
    .option('--for <name>', 'the server of this name gets it, each time it is made')
    .option('--note <text>')
    .action(
      async (name: string, text: string | undefined, options: { readonly for?: string; readonly note?: string }) => {
        const body = { address: text, name: options.for, note: options.note }
        const held = await (
          await terminal.client()
        ).ask(path(name, 'reservations'), { method: 'POST', body, shape: one })
        terminal.print(table(addressRows([held.address])))
      },
    )
  command
    .command('move')
    .description('a reservation to another name')
    .argument('<pool>', 'name or id')
    .argument('<address>')
    .argument('<name>')
    .action(async (name: string, text: string, to: string) => {
      const asked = { method: 'PATCH', body: { name: to }, shape: one } as const
      const held = await (await terminal.client()).ask(path(name, 'reservations', text), asked)
      terminal.print(table(addressRows([held.address])))
    })
  for (const [word, description, keep] of [
    ['release', 'free an address and its reservation', undefined],
    ['unassign', 'take an address off its port; its reservation stays', 'true'],
  ] as const)
    command
      .command(word)
      .description(description)
      .argument('<pool>', 'name or id')
      .argument('<address>')
      .action(async (name: string, text: string) => {
        const query = { keep_reservation: keep }
        await (await terminal.client()).ask(path(name, 'addresses', text), { method: 'DELETE', query, shape: z.null() })
      })
}

function addCarriers(command: Command, terminal: Terminal): void {
  command
    .command('import')
    .description(
      'reserve the addresses of a CSV with the header address,name,note: all of them, or none when a line is bad',
    )
    .argument('<pool>', 'name or id')
    .argument('<file>')
    .option('--dry-run', 'only say what would be')
    .action(async (name: string, file: string, { dryRun }: { readonly dryRun?: boolean }) => {
      const body = { csv: await readFile(file, 'utf8') }
      const query = { dry_run: dryRun ? 'true' : undefined }
      const client = await terminal.client()
      const asked = { method: 'POST', body, query, shape: verdict, alsoGood: [400] } as const
      const { imported, bad } = await client.ask(path(name, 'import'), asked)
      for (const { line, address: text, reason } of bad) terminal.print(`line ${line}, ${text}: ${reason}\n`)
      if (bad.length > 0) throw new Invalid(`${bad.length} bad lines in ${file}: nothing was imported`)
      terminal.print(`${imported} addresses ${dryRun ? 'would be' : 'are'} reserved\n`)
    })
  command
    .command('export')
    .description('the used and reserved addresses as CSV')
    .argument('<pool>', 'name or id')
    .argument('[file]', 'none = to the terminal')
    .action(async (name: string, file: string | undefined) => {
      const shape = z.object({ csv: z.string() })
      const { csv } = await (await terminal.client()).ask(path(name, 'export'), { shape })
      if (file === undefined) terminal.print(csv)
      else await writeFile(file, csv)
    })
}

export function poolCommand(terminal: Terminal): Command {
  const command = new Command('pool').description('IP pools: addresses, whose they are, and who may have them')
  addReaders(command, terminal)
  addPoolWriters(command, terminal)
  addAddressWriters(command, terminal)
  addCarriers(command, terminal)
  return command
}

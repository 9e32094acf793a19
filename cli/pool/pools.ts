/** Pools as they stand: how full they are, and what they hand out. */
import type { Command } from 'commander'
import { z } from 'zod'
import { show, type Shown, type Terminal } from '../terminal.ts'
import { table, type Row } from '../table.ts'
import { holdingRows, holdings } from './holding.ts'
import { path } from './path.ts'

const subnet = z.object({
  id: z.string(),
  cidr: z.string(),
  gateway: z.string().nullable(),
  ranges: z.array(z.object({ first: z.string(), last: z.string() })),
  quarantine_seconds: z.number(),
  warn_percent: z.number(),
  arp_probe: z.boolean(),
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
export const onePool = z.object({ pool })
const manyPools = z.object({ pools: z.array(pool) })

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

export function shownPool({ id, name, vlan, mtu, shared, subnets }: Pool): string {
  const lines = [
    `${name}  ${id}`,
    `  VLAN ${vlan ?? 'none'}, MTU ${mtu}, ${shared ? 'for every project' : 'for its project'}`,
    ...subnets.flatMap((one) => [
      `  ${one.cidr}, gateway ${one.gateway ?? 'none'}, ${one.free} of ${one.size} free (${one.level}, warns at ${one.warn_percent} %)`,
      `    used ${one.used}, reserved ${one.reserved}, in quarantine ${one.quarantined} (${one.quarantine_seconds} s)${one.arp_probe ? ', new ones asked for on the wire' : ''}`,
      ...one.ranges.map(({ first, last }) => `    hands out ${first} to ${last}`),
    ]),
  ]
  return `${lines.join('\n')}\n`
}

function addList(command: Command, terminal: Terminal): void {
  command
    .command('list')
    .description('every pool with how full it is')
    .option('--json', 'for programs')
    .action(async ({ json }: Shown) => {
      const { pools } = await (await terminal.client()).ask(path(), { shape: manyPools })
      show(terminal, json, pools, () => table(usageRows(pools)))
    })
}

function addShow(command: Command, terminal: Terminal): void {
  command
    .command('show')
    .description('one pool: its ranges and the addresses that are used or reserved')
    .argument('<pool>', 'name or id')
    .option('--json', 'for programs')
    .action(async (name: string, { json }: Shown) => {
      const client = await terminal.client()
      const found = await client.ask(path(name), { shape: onePool })
      const held = await client.ask(path(name, 'addresses'), { shape: holdings })
      const text = (): string => `${shownPool(found.pool)}\n${table(holdingRows(held.addresses))}`
      show(terminal, json, { ...found.pool, ...held }, text)
    })
}

export function addPoolReaders(command: Command, terminal: Terminal): void {
  addList(command, terminal)
  addShow(command, terminal)
}

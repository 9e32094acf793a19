/** Pools made, changed and deleted. */
import { Option, type Command } from 'commander'
import { z } from 'zod'
import { Invalid } from '../../core/errors.ts'
import { show, type Shown, type Terminal } from '../terminal.ts'
import { whole } from '../whole.ts'
import { path, rangeOf } from './path.ts'
import { onePool, shownPool } from './pools.ts'

interface NewPool extends Shown {
  readonly vlan?: number
  readonly mtu?: number
  readonly gateway?: string
  readonly range?: readonly string[]
  readonly dns?: readonly string[]
  readonly quarantine?: number
  readonly warn?: number
  readonly probe?: boolean
  readonly private?: boolean
}

function bodyOf({ vlan, mtu, gateway, range, dns, quarantine, warn, ...options }: NewPool): Record<string, unknown> {
  return {
    vlan,
    mtu,
    gateway: gateway === 'none' ? null : gateway,
    ranges: range?.map(rangeOf),
    dns,
    quarantine_seconds: quarantine,
    warn_percent: warn,
    arp_probe: options.probe,
    shared: options.private !== true,
  }
}

function addCreate(command: Command, terminal: Terminal): void {
  command
    .command('create')
    .description('a VLAN network with one subnet')
    .argument('<name>')
    .argument('<cidr>', 'such as 10.20.0.0/22')
    .option('--vlan <tag>', 'none = a free one', whole)
    .option('--mtu <bytes>', 'none = 1500', whole)
    .option('--gateway <address>', "none = the first address; 'none' = without")
    .option('--range <first-last...>', 'what is handed out; none = all')
    .option('--dns <address...>', 'whom guests ask; none = the resolvers of the settings')
    .option('--quarantine <seconds>', 'how long a freed address rests', whole)
    .option('--warn <percent>', 'from this share of taken addresses on the pool warns', whole)
    .option('--probe', 'ask the wire who has an address before a server first uses it')
    .option('--private', 'for the own project only')
    .option('--json', 'for programs')
    .action(async (name: string, cidr: string, options: NewPool) => {
      const asked = { method: 'POST', body: { name, cidr, ...bodyOf(options) }, shape: onePool } as const
      const { pool } = await (await terminal.client()).ask(path(), asked)
      show(terminal, options.json, pool, () => shownPool(pool))
    })
}

interface PoolChange extends Shown {
  readonly subnet?: string
  readonly quarantine?: number
  readonly warn?: number
  readonly probe?: 'on' | 'off'
}

function addSet(command: Command, terminal: Terminal): void {
  command
    .command('set')
    .description('how long freed addresses rest, when the pool warns, whether the wire is asked for new addresses')
    .argument('<pool>', 'name or id')
    .option('--subnet <cidr>', 'one of several')
    .option('--quarantine <seconds>', 'how long a freed address rests', whole)
    .option('--warn <percent>', 'from this share of taken addresses on the pool warns', whole)
    .addOption(
      new Option('--probe <on|off>', 'ask the wire who has an address before a server first uses it').choices([
        'on',
        'off',
      ]),
    )
    .option('--json', 'for programs')
    .action(async (name: string, { subnet, quarantine, warn, probe, json }: PoolChange) => {
      if ((quarantine ?? warn ?? probe) === undefined)
        throw new Invalid('nothing to set: --quarantine, --warn or --probe is needed')
      const asking = probe === undefined ? undefined : probe === 'on'
      const body = { subnet, quarantine_seconds: quarantine, warn_percent: warn, arp_probe: asking }
      const { pool } = await (await terminal.client()).ask(path(name), { method: 'PATCH', body, shape: onePool })
      show(terminal, json, pool, () => shownPool(pool))
    })
}

function addRanges(command: Command, terminal: Terminal): void {
  for (const [word, description] of [
    ['grow', 'hand out these addresses too'],
    ['exclude', 'hand these addresses out no more; who has one keeps it'],
  ] as const)
    command
      .command(word)
      .description(description)
      .argument('<pool>', 'name or id')
      .argument('<first-last>')
      .option('--json', 'for programs')
      .action(async (name: string, range: string, { json }: Shown) => {
        const asked = { method: 'POST', body: rangeOf(range), shape: onePool } as const
        const { pool } = await (await terminal.client()).ask(path(name, word), asked)
        show(terminal, json, pool, () => shownPool(pool))
      })
}

function addDelete(command: Command, terminal: Terminal): void {
  command
    .command('delete')
    .description('a pool without ports')
    .argument('<pool>', 'name or id')
    .action(async (name: string) => {
      await (await terminal.client()).ask(path(name), { method: 'DELETE', shape: z.null() })
    })
}

export function addPoolWriters(command: Command, terminal: Terminal): void {
  for (const add of [addCreate, addSet, addRanges, addDelete]) add(command, terminal)
}

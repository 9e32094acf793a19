/** Single addresses: found, held, moved, given up. */
import type { Command } from 'commander'
import { z } from 'zod'
import { show, type Shown, type Terminal } from '../terminal.ts'
import { table } from '../table.ts'
import { holdingRows, holdings, oneHolding } from './holding.ts'
import { path } from './path.ts'

function clueOf(clue: string): 'address' | 'mac' | 'server_id' | 'name' {
  if (/^([0-9a-f]{2}[:-]){5}[0-9a-f]{2}$/i.test(clue)) return 'mac'
  if (z.uuid().safeParse(clue).success) return 'server_id'
  return z.union([z.ipv4(), z.ipv6()]).safeParse(clue).success ? 'address' : 'name'
}

export function addFind(command: Command, terminal: Terminal): void {
  command
    .command('find')
    .description('who holds an address and who held it before; by address, MAC, name or id of a server')
    .argument('<clue>')
    .option('--json', 'for programs')
    .action(async (clue: string, { json }: Shown) => {
      const query = { [clueOf(clue)]: clue }
      const found = await (await terminal.client()).ask('/ipam/v1/addresses', { shape: holdings, query })
      show(terminal, json, found.addresses, () => table(holdingRows(found.addresses)))
    })
}

interface Reservation extends Shown {
  readonly for?: string
  readonly note?: string
  readonly subnet?: string
}

function addReserve(command: Command, terminal: Terminal): void {
  command
    .command('reserve')
    .description('hold an address: for the server of a name, or for nobody')
    .argument('<pool>', 'name or id')
    .argument('[address]', 'none = the next free one')
    .option('--for <name>', 'the server of this name gets it, each time it is made')
    .option('--note <text>')
    .option('--subnet <cidr>', 'whose next free address, where the pool has several')
    .option('--json', 'for programs')
    .action(async (name: string, address: string | undefined, options: Reservation) => {
      const body = { address, name: options.for, note: options.note, subnet: options.subnet }
      const asked = { method: 'POST', body, shape: oneHolding } as const
      const held = await (await terminal.client()).ask(path(name, 'reservations'), asked)
      show(terminal, options.json, held.address, () => table(holdingRows([held.address])))
    })
}

function addMove(command: Command, terminal: Terminal): void {
  command
    .command('move')
    .description('a reservation to another name')
    .argument('<pool>', 'name or id')
    .argument('<address>')
    .argument('<name>')
    .option('--json', 'for programs')
    .action(async (name: string, address: string, to: string, { json }: Shown) => {
      const asked = { method: 'PATCH', body: { name: to }, shape: oneHolding } as const
      const held = await (await terminal.client()).ask(path(name, 'reservations', address), asked)
      show(terminal, json, held.address, () => table(holdingRows([held.address])))
    })
}

export function addAddressWriters(command: Command, terminal: Terminal): void {
  addReserve(command, terminal)
  addMove(command, terminal)
  for (const [word, description, keep] of [
    ['release', 'free an address and its reservation', undefined],
    ['unassign', 'take an address off its port; its reservation stays', 'true'],
  ] as const)
    command
      .command(word)
      .description(description)
      .argument('<pool>', 'name or id')
      .argument('<address>')
      .action(async (name: string, address: string) => {
        const query = { keep_reservation: keep }
        const asked = { method: 'DELETE', query, shape: z.null() } as const
        await (await terminal.client()).ask(path(name, 'addresses', address), asked)
      })
}

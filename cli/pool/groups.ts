/** berth pool group: an ordered list of pools, tried in turn. */
import { Command } from 'commander'
import { z } from 'zod'
import { show, type Shown, type Terminal } from '../terminal.ts'
import { table, type Row } from '../table.ts'

const group = z.object({ id: z.string(), name: z.string(), description: z.string(), pools: z.array(z.string()) })
type Group = z.output<typeof group>
const one = z.object({ group })
const many = z.object({ groups: z.array(group) })

const groupsPath = '/ipam/v1/groups'

function pathOf(name: string): string {
  return `${groupsPath}/${encodeURIComponent(name)}`
}

function rowsOf(groups: readonly Group[]): readonly Row[] {
  return groups.map(({ id, name, pools, description }) => ({ group: name, pools: pools.join(', '), id, description }))
}

function addReaders(command: Command, terminal: Terminal): void {
  command
    .command('list')
    .description('every group with its pools, the first tried first')
    .option('--json', 'for programs')
    .action(async ({ json }: Shown) => {
      const { groups } = await (await terminal.client()).ask(groupsPath, { shape: many })
      show(terminal, json, groups, () => table(rowsOf(groups)))
    })
  command
    .command('show')
    .description('one group')
    .argument('<group>', 'name or id')
    .option('--json', 'for programs')
    .action(async (name: string, { json }: Shown) => {
      const found = await (await terminal.client()).ask(pathOf(name), { shape: one })
      show(terminal, json, found.group, () => table(rowsOf([found.group])))
    })
}

interface NewGroup extends Shown {
  readonly description?: string
}

function addWriters(command: Command, terminal: Terminal): void {
  command
    .command('create')
    .description('a server made with its id as network gets an address of the first pool that has one')
    .argument('<name>')
    .argument('<pools...>', 'names or ids, the first tried first')
    .option('--description <text>')
    .option('--json', 'for programs')
    .action(async (name: string, pools: readonly string[], { description, json }: NewGroup) => {
      const asked = { method: 'POST', body: { name, pools, description }, shape: one } as const
      const made = await (await terminal.client()).ask(groupsPath, asked)
      show(terminal, json, made.group, () => table(rowsOf([made.group])))
    })
  command
    .command('delete')
    .description('the group; its pools stay')
    .argument('<group>', 'name or id')
    .action(async (name: string) => {
      await (await terminal.client()).ask(pathOf(name), { method: 'DELETE', shape: z.null() })
    })
}

export function groupCommand(terminal: Terminal): Command {
  const command = new Command('group').description('ordered lists of pools, tried in turn')
  addReaders(command, terminal)
  addWriters(command, terminal)
  return command
}

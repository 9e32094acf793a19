/** berth host: the hosts of a cloud, and how their servers leave them. */
import { Command } from 'commander'
import { drain, type DrainOptions } from './drain.ts'
import { addInventory } from './hosts.ts'
import type { Terminal } from './terminal.ts'

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

/** berth host: the hosts of a cloud, and how their servers leave them. */
import { Command } from 'commander'
import type { Terminal } from '../terminal.ts'
import { addDrain } from './drain.ts'
import { addHostReaders } from './hosts.ts'
import { addSet } from './set.ts'
import { addStates } from './state.ts'
import { addToken } from './token.ts'

export function hostCommand(terminal: Terminal): Command {
  const command = new Command('host').description('hosts of a cloud: what they are, whether they take servers')
  for (const add of [addHostReaders, addSet, addStates, addDrain, addToken]) add(command, terminal)
  return command
}

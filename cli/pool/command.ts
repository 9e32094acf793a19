/** berth pool: addresses, whose they are, and who may have them. */
import { Command } from 'commander'
import type { Terminal } from '../terminal.ts'
import { addAddressWriters, addFind } from './addresses.ts'
import { addAudit } from './audit.ts'
import { addCarriers } from './csv.ts'
import { groupCommand } from './groups.ts'
import { addMap } from './map.ts'
import { addPoolReaders } from './pools.ts'
import { addPoolWriters } from './change-pools.ts'
import { addUsage } from './usage.ts'

export function poolCommand(terminal: Terminal): Command {
  const command = new Command('pool').description('IP pools: addresses, whose they are, and who may have them')
  for (const add of [
    addPoolReaders,
    addUsage,
    addFind,
    addMap,
    addAudit,
    addPoolWriters,
    addAddressWriters,
    addCarriers,
  ])
    add(command, terminal)
  return command.addCommand(groupCommand(terminal))
}

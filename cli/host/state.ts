/** berth host disable, maintenance, enable: whether a host takes new servers, and why not. */
import type { Command } from 'commander'
import type { DisabledState } from '../../core/host.ts'
import type { Client } from '../client.ts'
import type { Terminal } from '../terminal.ts'
import { oneHost, pathOf } from './hosts.ts'

/** The host takes new servers, or does not, and says why. */
export async function setState(
  client: Client,
  name: string,
  state: 'up' | DisabledState,
  reason: string | null = null,
): Promise<void> {
  const body = state === 'up' ? { state } : { state, reason }
  await client.ask(pathOf(name), { shape: oneHost, method: 'PATCH', body })
}

export function addStates(command: Command, terminal: Terminal): void {
  for (const [word, state, description] of [
    ['disable', 'disabled', 'no new servers; those that are there stay'],
    ['maintenance', 'maintenance', 'as disable, and the list says that somebody works on it'],
  ] as const)
    command
      .command(word)
      .description(description)
      .argument('<host>')
      .argument('[reason...]', 'said wherever the host is listed')
      .action(async (name: string, reason: readonly string[]) =>
        setState(await terminal.client(), name, state, reason.join(' ') || null),
      )
  command
    .command('enable')
    .description('new servers again')
    .argument('<host>')
    .action(async (name: string) => setState(await terminal.client(), name, 'up'))
}

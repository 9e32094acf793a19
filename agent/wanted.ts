import type { Server } from '../core/server.ts'
import { powerStates } from '../core/states.ts'

/** What a guest should be doing, by its server's row; null = no word on it: the row says that nobody knows, or a change decides. */
export function wantedOf({ vmState, powerState }: Pick<Server, 'vmState' | 'powerState'>): Wanted | null {
  switch (vmState) {
    case 'active':
      return 'running'
    case 'paused':
    case 'suspended':
      return 'paused'
    case 'stopped':
    case 'soft-delete':
      return 'stopped'
    case 'resized':
    case 'rescued':
      return powerState === powerStates.running ? 'running' : 'stopped'
    case 'building':
    case 'error':
    case 'shelved':
    case 'shelved_offloaded':
    case 'deleted':
      return null
  }
}
export type Wanted = 'running' | 'paused' | 'stopped'

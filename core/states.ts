/** The state machine of servers is data: who may do what, when, and where it ends. Source: nova's compute/api.py guards. */

export const vmStates = [
  'building',
  'active',
  'stopped',
  'paused',
  'suspended',
  'rescued',
  'resized',
  'shelved',
  'shelved_offloaded',
  'soft-delete',
  'error',
  'deleted',
] as const
export type VmState = (typeof vmStates)[number]

export const taskStates = [
  'scheduling',
  'networking',
  'spawning',
  'powering-off',
  'powering-on',
  'rebooting',
  'rebooting_hard',
  'deleting',
] as const
export type TaskState = (typeof taskStates)[number]

/** Nova's numbers. */
export const powerStates = { noState: 0, running: 1, paused: 3, shutdown: 4, crashed: 6, suspended: 7 } as const
export type PowerState = (typeof powerStates)[keyof typeof powerStates]

/** One change of a server: begins in `from` with no task running, shows `during`, ends in `to`. */
export interface Change {
  readonly from: readonly VmState[]
  readonly during: TaskState
  readonly to: VmState
  /** the word of the error message, such as 'stop' in "Cannot 'stop' instance" */
  readonly verb: string
  /** tasks that it may interrupt; 'any' = always allowed */
  readonly interrupts?: readonly TaskState[] | 'any'
}

export const changes = {
  'server.start': { from: ['stopped'], during: 'powering-on', to: 'active', verb: 'start' },
  'server.stop': { from: ['active', 'error'], during: 'powering-off', to: 'stopped', verb: 'stop' },
  'server.reboot': { from: ['active'], during: 'rebooting', to: 'active', verb: 'reboot' },
  'server.reboot-hard': {
    from: ['active', 'stopped', 'paused', 'suspended', 'error'],
    during: 'rebooting_hard',
    to: 'active',
    verb: 'reboot',
    interrupts: ['rebooting', 'rebooting_hard'],
  },
  'server.delete': {
    from: vmStates.filter((state) => state !== 'deleted'),
    during: 'deleting',
    to: 'deleted',
    verb: 'delete',
    interrupts: 'any',
  },
} as const satisfies Record<string, Change>
export type ChangeName = keyof typeof changes

const active: Readonly<Partial<Record<TaskState, string>>> = { rebooting: 'REBOOT', rebooting_hard: 'HARD_REBOOT' }

const plain: Readonly<Record<VmState, string>> = {
  building: 'BUILD',
  active: 'ACTIVE',
  stopped: 'SHUTOFF',
  paused: 'PAUSED',
  suspended: 'SUSPENDED',
  rescued: 'RESCUE',
  resized: 'VERIFY_RESIZE',
  shelved: 'SHELVED',
  shelved_offloaded: 'SHELVED_OFFLOADED',
  'soft-delete': 'SOFT_DELETED',
  error: 'ERROR',
  deleted: 'DELETED',
}

/** The status that users see. Source: nova/api/openstack/common.py, _STATE_MAP. */
export function statusOf(vmState: VmState, taskState: TaskState | null): string {
  const busy = taskState === null ? undefined : active[taskState]
  if (busy !== undefined && (vmState === 'active' || taskState === 'rebooting_hard')) return busy
  return plain[vmState]
}

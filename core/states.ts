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
  'pausing',
  'unpausing',
  'suspending',
  'resuming',
  'updating_password',
  'resize_prep',
  'resize_migrating',
  'resize_finish',
  'evacuating',
  'resize_confirming',
  'resize_reverting',
  'soft-deleting',
  'restoring',
  'image_snapshot',
  'image_backup',
  'image_pending_upload',
  'image_uploading',
  'rebuilding',
  'rebuild_spawning',
  'rescuing',
  'unrescuing',
  'shelving',
  'shelving_image_pending_upload',
  'shelving_image_uploading',
  'shelving_offloading',
  'unshelving',
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
  /** where it ends; the end of a resize goes by whether the guest runs */
  readonly to: VmState
  /** the word of the error message, such as 'stop' in "Cannot 'stop' instance" */
  readonly verb: string
  /** tasks that it may interrupt; 'any' = always allowed */
  readonly interrupts?: readonly TaskState[] | 'any'
}

/** States from which an image may be taken; a snapshot or backup ends in the state that it began in. */
const imageable = ['active', 'stopped', 'paused', 'suspended'] as const

export const changes = {
  'server.start': { from: ['stopped'], during: 'powering-on', to: 'active', verb: 'start' },
  'server.stop': { from: ['active', 'error'], during: 'powering-off', to: 'stopped', verb: 'stop' },
  'server.reboot': { from: ['active'], during: 'rebooting', to: 'active', verb: 'reboot' },
  'server.reboot-hard': {
    from: ['active', 'stopped', 'paused', 'suspended', 'error'],
    during: 'rebooting_hard',
    to: 'active',
    verb: 'reboot',
    interrupts: ['rebooting', 'rebooting_hard', 'pausing', 'unpausing', 'suspending', 'resuming'],
  },
  'server.pause': { from: ['active'], during: 'pausing', to: 'paused', verb: 'pause' },
  'server.unpause': { from: ['paused'], during: 'unpausing', to: 'active', verb: 'unpause' },
  'server.suspend': { from: ['active'], during: 'suspending', to: 'suspended', verb: 'suspend' },
  'server.resume': { from: ['suspended'], during: 'resuming', to: 'active', verb: 'resume' },
  'server.resize': { from: ['active', 'stopped'], during: 'resize_prep', to: 'resized', verb: 'resize' },
  'server.confirm-resize': { from: ['resized'], during: 'resize_confirming', to: 'active', verb: 'confirmResize' },
  'server.revert-resize': { from: ['resized'], during: 'resize_reverting', to: 'active', verb: 'revertResize' },
  'server.migrate': { from: ['active', 'stopped'], during: 'resize_migrating', to: 'resized', verb: 'migrate' },
  'server.land': { from: [], during: 'resize_finish', to: 'resized', verb: 'migrate' },
  'server.evacuate': { from: ['active', 'stopped', 'error'], during: 'evacuating', to: 'active', verb: 'evacuate' },
  'server.change-password': {
    from: ['active'],
    during: 'updating_password',
    to: 'active',
    verb: 'changePassword',
  },
  'server.soft-delete': {
    from: vmStates.filter((state) => state !== 'building' && state !== 'soft-delete' && state !== 'deleted'),
    during: 'soft-deleting',
    to: 'soft-delete',
    verb: 'delete',
    interrupts: taskStates.filter((task) => task !== 'deleting'),
  },
  'server.restore': { from: ['soft-delete'], during: 'restoring', to: 'active', verb: 'restore' },
  'server.snapshot': { from: imageable, during: 'image_snapshot', to: 'active', verb: 'createImage' },
  'server.backup': { from: imageable, during: 'image_backup', to: 'active', verb: 'createBackup' },
  'server.rebuild': { from: ['active', 'stopped', 'error'], during: 'rebuilding', to: 'active', verb: 'rebuild' },
  'server.rescue': { from: ['active', 'stopped', 'error'], during: 'rescuing', to: 'rescued', verb: 'rescue' },
  'server.unrescue': { from: ['rescued'], during: 'unrescuing', to: 'active', verb: 'unrescue' },
  'server.shelve': { from: imageable, during: 'shelving', to: 'shelved', verb: 'shelve' },
  'server.shelve-offload': {
    from: ['shelved'],
    during: 'shelving_offloading',
    to: 'shelved_offloaded',
    verb: 'shelveOffload',
  },
  'server.unshelve': {
    from: ['shelved', 'shelved_offloaded'],
    during: 'unshelving',
    to: 'active',
    verb: 'unshelve',
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

const resizing = { resize_prep: 'RESIZE', resize_migrating: 'RESIZE', resize_finish: 'RESIZE' } as const

/** What a task shows, by the state that it began in; elsewhere the state shows. */
const busy: Readonly<Partial<Record<VmState, Readonly<Partial<Record<TaskState, string>>>>>> = {
  active: { rebooting: 'REBOOT', updating_password: 'PASSWORD', ...resizing },
  stopped: resizing,
  resized: { resize_reverting: 'REVERT_RESIZE' },
}

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
  if (taskState === null) return plain[vmState]
  if (taskState === 'rebooting_hard') return 'HARD_REBOOT'
  if (taskState === 'rebuilding' || taskState === 'rebuild_spawning' || taskState === 'evacuating') return 'REBUILD'
  return busy[vmState]?.[taskState] ?? plain[vmState]
}

/** POST /servers/{id}/action: a body with one key, the action. A new action is one file here and one line in the table. */
import { z } from 'zod'
import { Invalid } from '../../../core/errors.ts'
import { parseBody } from '../../body.ts'
import { HttpFault } from '../../faults.ts'
import { highest, minorOf } from '../../microversion.ts'
import { allow, type Rule } from '../../policy.ts'
import type { Call, Reply } from '../../route.ts'
import { serverOf } from '../servers/find.ts'
import type { Action } from './action.ts'
import { changePassword } from './change-password.ts'
import { consoleOutput } from './console-output.ts'
import { getRdpConsole, getSerialConsole, getSpiceConsole, getVncConsole } from './consoles.ts'
import { triggerCrashDump } from './crash-dump.ts'
import { forceDelete, restore } from './deferred-delete.ts'
import { addFixedIp, removeFixedIp } from './fixed-ips.ts'
import { pause, resume, suspend, unpause } from './freeze.ts'
import { lock, unlock } from './lock.ts'
import { resetState } from './reset-state.ts'
import { confirmResize, resize, revertResize } from './resize.ts'
import { evacuate, migrate, migrateLive } from './migrate.ts'
import { injectNetworkInfo, resetNetwork } from './network-info.ts'
import { createBackup } from './create-backup.ts'
import { createImage } from './create-image.ts'
import { reboot, start, stop } from './power.ts'
import { addSecurityGroup, removeSecurityGroup } from './security-groups.ts'
import { rebuild } from './rebuild.ts'
import { rescue, unrescue } from './rescue.ts'
import { shelve, shelveOffload } from './shelve.ts'
import { unshelve } from './unshelve.ts'

/** `since` and `until`: the first microversion that has it, and the first that has it no more. */
interface Entry {
  readonly rule: Rule
  readonly run: Action
  readonly since?: `2.${number}`
  readonly until?: `2.${number}`
}

export const actions = {
  'os-start': { rule: 'os_compute_api:servers:start', run: start },
  'os-stop': { rule: 'os_compute_api:servers:stop', run: stop },
  reboot: { rule: 'os_compute_api:servers:reboot', run: reboot },
  createImage: { rule: 'os_compute_api:servers:create_image', run: createImage },
  createBackup: { rule: 'os_compute_api:os-create-backup', run: createBackup },
  rebuild: { rule: 'os_compute_api:servers:rebuild', run: rebuild },
  rescue: { rule: 'os_compute_api:os-rescue', run: rescue },
  unrescue: { rule: 'os_compute_api:os-unrescue', run: unrescue },
  shelve: { rule: 'os_compute_api:os-shelve:shelve', run: shelve },
  shelveOffload: { rule: 'os_compute_api:os-shelve:shelve_offload', run: shelveOffload },
  unshelve: { rule: 'os_compute_api:os-shelve:unshelve', run: unshelve },
  'os-getConsoleOutput': { rule: 'os_compute_api:os-console-output', run: consoleOutput },
  pause: { rule: 'os_compute_api:os-pause-server:pause', run: pause },
  unpause: { rule: 'os_compute_api:os-pause-server:unpause', run: unpause },
  suspend: { rule: 'os_compute_api:os-suspend-server:suspend', run: suspend },
  resume: { rule: 'os_compute_api:os-suspend-server:resume', run: resume },
  resize: { rule: 'os_compute_api:servers:resize', run: resize },
  confirmResize: { rule: 'os_compute_api:servers:confirm_resize', run: confirmResize },
  revertResize: { rule: 'os_compute_api:servers:revert_resize', run: revertResize },
  changePassword: { rule: 'os_compute_api:os-admin-password', run: changePassword },
  'os-resetState': { rule: 'os_compute_api:os-admin-actions:reset_state', run: resetState },
  forceDelete: { rule: 'os_compute_api:os-deferred-delete:force', run: forceDelete },
  restore: { rule: 'os_compute_api:os-deferred-delete:restore', run: restore },
  injectNetworkInfo: { rule: 'os_compute_api:os-admin-actions:inject_network_info', run: injectNetworkInfo },
  resetNetwork: { rule: 'os_compute_api:os-admin-actions:reset_network', run: resetNetwork },
  migrate: { rule: 'os_compute_api:os-migrate-server:migrate', run: migrate },
  'os-migrateLive': { rule: 'os_compute_api:os-migrate-server:migrate_live', run: migrateLive },
  evacuate: { rule: 'os_compute_api:os-evacuate', run: evacuate },
  trigger_crash_dump: { rule: 'os_compute_api:servers:trigger_crash_dump', run: triggerCrashDump, since: '2.17' },
  'os-getVNCConsole': { rule: 'os_compute_api:os-remote-consoles', run: getVncConsole, until: '2.6' },
  'os-getSPICEConsole': { rule: 'os_compute_api:os-remote-consoles', run: getSpiceConsole, until: '2.6' },
  'os-getRDPConsole': { rule: 'os_compute_api:os-remote-consoles', run: getRdpConsole, until: '2.6' },
  'os-getSerialConsole': { rule: 'os_compute_api:os-remote-consoles', run: getSerialConsole, until: '2.6' },
  lock: { rule: 'os_compute_api:os-lock-server:lock', run: lock },
  unlock: { rule: 'os_compute_api:os-lock-server:unlock', run: unlock },
  addSecurityGroup: { rule: 'os_compute_api:os-security-groups:add', run: addSecurityGroup },
  removeSecurityGroup: { rule: 'os_compute_api:os-security-groups:remove', run: removeSecurityGroup },
  addFixedIp: { rule: 'os_compute_api:os-multinic', run: addFixedIp },
  removeFixedIp: { rule: 'os_compute_api:os-multinic', run: removeFixedIp },
} as const satisfies Readonly<Record<string, Entry>>

function isAction(name: string): name is keyof typeof actions {
  return Object.hasOwn(actions, name)
}

export async function act(call: Call): Promise<Reply> {
  const [name, ...others] = Object.keys(parseBody(z.record(z.string(), z.unknown()), call.body))
  if (name === undefined || others.length > 0)
    throw new Invalid('There must be exactly one action in the request body.')
  if (!isAction(name)) throw new Invalid(`There is no such action: ${name}`)
  const { rule, run, since = '2.1', until = `2.${highest + 1}` }: Entry = actions[name]
  if (call.version < minorOf(since) || call.version >= minorOf(until))
    throw new HttpFault(404, `API version 2.${call.version} is not supported on this method.`)
  allow(call.caller, rule)
  return await run(call, await serverOf(call, call.params.id))
}

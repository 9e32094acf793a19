/** POST /servers/{id}/action: a body with one key, the action. A new action is one file here and one line in the table. */
import { z } from 'zod'
import { Invalid } from '../../../core/errors.ts'
import { parseBody } from '../../body.ts'
import { allow, type Rule } from '../../policy.ts'
import type { Call, Reply } from '../../route.ts'
import { serverOf } from '../servers/find.ts'
import type { Action } from './action.ts'
import { consoleOutput } from './console-output.ts'
import { pause, resume, suspend, unpause } from './freeze.ts'
import { lock, unlock } from './lock.ts'
import { reboot, start, stop } from './power.ts'

const actions = {
  'os-start': { rule: 'os_compute_api:servers:start', run: start },
  'os-stop': { rule: 'os_compute_api:servers:stop', run: stop },
  reboot: { rule: 'os_compute_api:servers:reboot', run: reboot },
  'os-getConsoleOutput': { rule: 'os_compute_api:os-console-output', run: consoleOutput },
  pause: { rule: 'os_compute_api:os-pause-server:pause', run: pause },
  unpause: { rule: 'os_compute_api:os-pause-server:unpause', run: unpause },
  suspend: { rule: 'os_compute_api:os-suspend-server:suspend', run: suspend },
  resume: { rule: 'os_compute_api:os-suspend-server:resume', run: resume },
  lock: { rule: 'os_compute_api:os-lock-server:lock', run: lock },
  unlock: { rule: 'os_compute_api:os-lock-server:unlock', run: unlock },
} as const satisfies Record<string, { readonly rule: Rule; readonly run: Action }>

function isAction(name: string): name is keyof typeof actions {
  return Object.hasOwn(actions, name)
}

export async function act(call: Call): Promise<Reply> {
  const [name, ...others] = Object.keys(parseBody(z.record(z.string(), z.unknown()), call.body))
  if (name === undefined || others.length > 0)
    throw new Invalid('There must be exactly one action in the request body.')
  if (!isAction(name)) throw new Invalid(`There is no such action: ${name}`)
  const { rule, run } = actions[name]
  allow(call.caller, rule)
  return await run(call, await serverOf(call, call.params.id))
}

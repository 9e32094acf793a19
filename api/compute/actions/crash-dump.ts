import { z } from 'zod'
import { Invalid } from '../../../core/errors.ts'
import { parseBody } from '../../body.ts'
import { checkState } from '../servers/change.ts'
import type { Action } from './action.ts'

const body = z.strictObject({ trigger_crash_dump: z.null() })

/** A guest has no kernel of its own that could crash: the refusal comes after Nova's guards. */
export const triggerCrashDump: Action = (call, server) => {
  parseBody(body, call.body)
  checkState(call, server, {
    verb: 'trigger_crash_dump',
    from: ['active', 'paused', 'rescued', 'resized', 'error'],
  })
  throw new Invalid('Triggering a crash dump is not supported: guests share the kernel of their host.')
}

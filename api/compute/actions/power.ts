import { z } from 'zod'
import { parseBody } from '../../body.ts'
import { change } from '../servers/change.ts'
import type { Action } from './action.ts'

/** Nova's start and stop take anything, and look at nothing. */
export const start: Action = async (call, server) => {
  await change(call, server, 'server.start', 'start')
  return { status: 202 }
}

export const stop: Action = async (call, server) => {
  await change(call, server, 'server.stop', 'stop')
  return { status: 202 }
}

const kinds = ['SOFT', 'HARD'] as const
const body = z.strictObject({
  reboot: z.strictObject({ type: z.string().toUpperCase().pipe(z.enum(kinds)) }),
})

/** Soft asks init to reboot; hard takes the guest down and up again. */
export const reboot: Action = async (call, server) => {
  const { type } = parseBody(body, call.body).reboot
  await change(call, server, type === 'HARD' ? 'server.reboot-hard' : 'server.reboot', 'reboot')
  return { status: 202 }
}

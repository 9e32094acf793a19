/** pause, unpause, suspend, resume. As with start and stop, Nova looks at nothing beside the key. */
import { change } from '../servers/change.ts'
import type { Action } from './action.ts'

export const pause: Action = async (call, server) => {
  await change(call, server, 'server.pause', 'pause')
  return { status: 202 }
}

export const unpause: Action = async (call, server) => {
  await change(call, server, 'server.unpause', 'unpause')
  return { status: 202 }
}

export const suspend: Action = async (call, server) => {
  await change(call, server, 'server.suspend', 'suspend')
  return { status: 202 }
}

export const resume: Action = async (call, server) => {
  await change(call, server, 'server.resume', 'resume')
  return { status: 202 }
}

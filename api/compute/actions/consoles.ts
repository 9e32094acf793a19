/** Graphical and serial consoles: a guest has none; what it writes on its console is read by os-getConsoleOutput. */
import { z } from 'zod'
import { Conflict, Invalid } from '../../../core/errors.ts'
import type { Server } from '../../../core/server.ts'
import { parseBody } from '../../body.ts'
import { minorOf } from '../../microversion.ts'
import type { Call, Reply } from '../../route.ts'
import { serverOf } from '../servers/find.ts'
import type { Action } from './action.ts'

function refuse({ id, host }: Server, type: string): never {
  if (host === null) throw new Conflict(`Instance ${id} is not ready`)
  throw new Invalid(`Unavailable console type ${type}.`)
}

/** The actions before 2.6: each has a key and kinds of its own. */
function consoleAction(key: string, types: readonly string[]): Action {
  const body = z.strictObject({ [key]: z.strictObject({ type: z.enum([...types]) }) })
  return ({ body: given }, server) => refuse(server, parseBody(body, given)[key]?.type ?? '')
}

export const getVncConsole = consoleAction('os-getVNCConsole', ['novnc', 'xvpvnc'])
export const getSpiceConsole = consoleAction('os-getSPICEConsole', ['spice-html5'])
export const getRdpConsole = consoleAction('os-getRDPConsole', ['rdp-html5'])
export const getSerialConsole = consoleAction('os-getSerialConsole', ['serial'])

const remoteBody = z.strictObject({
  remote_console: z.strictObject({
    protocol: z.enum(['vnc', 'spice', 'rdp', 'serial', 'mks']),
    type: z.enum(['novnc', 'xvpvnc', 'spice-html5', 'rdp-html5', 'serial', 'webmks']),
  }),
})

/** POST /servers/{id}/remote-consoles, since 2.6; mks since 2.8. */
export async function remoteConsoles(call: Call): Promise<Reply> {
  const { protocol, type } = parseBody(remoteBody, call.body).remote_console
  if (call.version < minorOf('2.8') && (protocol === 'mks' || type === 'webmks'))
    throw new Invalid(
      `Invalid input for field/attribute type. Value: ${type}. '${type}' is not one of the console types of this version`,
    )
  return refuse(await serverOf(call, call.params.id), type)
}

/** How a machine becomes a host: an administrator asks for a token, and the machine gives it for what its agent needs. */
import { z } from 'zod'
import { Conflict, Unsupported } from '../../core/errors.ts'
import type { Config } from '../../core/config.ts'
import { agentRole, type AgentRole } from '../../db/agent-roles.ts'
import { hostsWithUse } from '../../db/hosts.ts'
import { stateOf } from '../../db/host-status.ts'
import { newJoinToken, useJoinToken } from '../../db/join-tokens.ts'
import { parseBody } from '../body.ts'
import type { Call, OpenCall, Reply } from '../route.ts'

export const newToken = z.strictObject({
  hours: z.number().positive().max(168).default(1).describe('how long it can be used; once, whoever is first'),
})
export const tokenShape = z.strictObject({ token: z.string(), expires_at: z.string(), url: z.string() })

export async function createToken({ db, body, caller, root }: Call): Promise<Reply> {
  const { hours } = parseBody(newToken, body)
  const { token, expiresAt } = await newJoinToken(db, caller.userId, hours)
  return { status: 201, body: { token, expires_at: expiresAt.toISOString(), url: root } }
}

export const joinBody = z.strictObject({
  token: z.string().min(1).max(200),
  host_name: z.string().regex(/^[\w.-]{1,63}$/),
})

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || host.startsWith('127.')
}

/** The database as the host reaches it, as its own role. @throws Unsupported when it answers on loopback only */
function databaseUrlFor(config: Config, { user, password }: AgentRole): string {
  const url = new URL(config.databaseUrl ?? '')
  if (config.postgresAddress !== null && isLoopback(url.hostname)) url.hostname = config.postgresAddress
  if (isLoopback(url.hostname))
    throw new Unsupported(
      'The database of this cloud answers on loopback only; remedy: set postgresAddress and registryAddress in its berth.yaml to an address that hosts reach, and ./berth up',
    )
  url.username = user
  url.password = password
  return url.href
}

/** What the settings of the new host say. The token is used up when this succeeds, and only then. */
export async function join({ db, config, body }: OpenCall): Promise<Reply> {
  const { token, host_name: host } = parseBody(joinBody, body)
  const role = await db.transaction(async (trx) => {
    await useJoinToken(trx, token, host)
    const present = (await hostsWithUse(trx)).find(({ name }) => name === host)
    if (present && stateOf(present).state !== 'down')
      throw new Conflict(`Host ${host} is in this cloud, and alive; remedy: join under another name`)
    const made = await agentRole(trx, host)
    databaseUrlFor(config, made)
    return made
  })
  const settings = {
    databaseUrl: databaseUrlFor(config, role),
    databaseCa: config.databaseCa,
    registryUrl: config.registryUrl,
    registryCa: config.registryCa,
    registryUser: config.registryUser,
    registryPassword: config.registryPassword,
    registryMirrors: config.registryMirrors,
    region: config.region,
  }
  return { status: 200, body: { settings } }
}

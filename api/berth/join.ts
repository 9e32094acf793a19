/** How a machine becomes a host: an administrator asks for a token, and the machine gives it for what its agent needs. */
import { z } from 'zod'
import { Conflict, Unsupported } from '../../core/errors.ts'
import type { Config } from '../../core/config.ts'
import { agentRole, type AgentRole } from '../../db/agent-roles.ts'
import type { Db } from '../../db/connect.ts'
import { hostsWithUse } from '../../db/hosts.ts'
import { stateOf } from '../../db/host-status.ts'
import { checkJoinToken, newJoinToken, useJoinToken } from '../../db/join-tokens.ts'
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
  check_only: z
    .boolean()
    .default(false)
    .describe('whether only to ask what the host must reach; the token is not used'),
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

/** host:port, as a machine connects to it. */
function doorOf(url: string, usualPort: number): string {
  const { hostname, port } = new URL(url.includes('://') ? url : `https://${url}`)
  return `${hostname}:${port || usualPort}`
}

async function checkName(db: Db, host: string): Promise<void> {
  const present = (await hostsWithUse(db)).find(({ name }) => name === host)
  if (present && stateOf(present).state !== 'down')
    throw new Conflict(`Host ${host} is in this cloud, and alive; remedy: join under another name`)
}

/** What a machine must reach to be a host: asked before it uses its token. */
async function check({ db, config }: OpenCall, token: string, host: string): Promise<Reply> {
  await checkJoinToken(db, token)
  await checkName(db, host)
  const database = doorOf(databaseUrlFor(config, { user: '', password: '' }), 5432)
  const registry = config.registryUrl === null ? null : doorOf(config.registryUrl, 443)
  return { status: 200, body: { reach: { database, registry } } }
}

/** What the settings of the new host say. The token is used up when this succeeds, and only then. */
export async function join(call: OpenCall): Promise<Reply> {
  const { db, config, body } = call
  const { token, host_name: host, check_only: isCheck } = parseBody(joinBody, body)
  if (isCheck) return await check(call, token, host)
  const role = await db.transaction(async (trx) => {
    await useJoinToken(trx, token, host)
    await checkName(trx, host)
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

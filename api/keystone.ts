/** Tokens of an external Keystone, in place of our own: validated there, and remembered for a while. Source: Keystone's API reference, v3. */
import { z } from 'zod'
import { identityUrl, type Config } from '../core/config.ts'
import { Unavailable } from '../core/errors.ts'
import type { Db } from '../db/connect.ts'
import { mirror } from '../db/identity/mirror.ts'
import { digestOf, type Bearer } from '../db/identity/tokens.ts'
import type { Bearers } from './known-bearers.ts'

const named = z.object({ id: z.string(), name: z.string() })
const inDomain = named.extend({ domain: named })
const accessRule = z.object({ id: z.string(), service: z.string(), method: z.string(), path: z.string() })

/** What Keystone says of a token; it says more. */
const answer = z.object({
  token: z.object({
    methods: z.array(z.string()),
    user: inDomain,
    project: inDomain.optional(),
    domain: named.optional(),
    system: z.object({ all: z.boolean() }).optional(),
    roles: z.array(named).default([]),
    audit_ids: z.array(z.string()).default([]),
    issued_at: z.coerce.date(),
    expires_at: z.coerce.date(),
    application_credential: named
      .extend({ restricted: z.boolean().default(true), access_rules: z.array(accessRule).optional() })
      .optional(),
  }),
})
type Said = z.output<typeof answer>['token']
const projectAnswer = z.object({ project: named.extend({ domain_id: z.string() }) })

function bearerIn(said: Said): Bearer {
  const { user, project, domain, application_credential: credential } = said
  const [auditId = '', parentAuditId = null] = said.audit_ids
  return {
    userId: user.id,
    userName: user.name,
    userDomainId: user.domain.id,
    userDomainName: user.domain.name,
    projectId: project?.id ?? null,
    projectName: project?.name ?? null,
    projectDomainId: project?.domain.id ?? null,
    projectDomainName: project?.domain.name ?? null,
    domainId: domain?.id ?? null,
    domainName: domain?.name ?? null,
    isSystem: said.system?.all ?? false,
    roles: said.roles.map(({ name }) => name),
    methods: said.methods,
    auditId,
    parentAuditId,
    issuedAt: said.issued_at,
    expiresAt: said.expires_at,
    applicationCredentialId: credential?.id ?? null,
    applicationCredentialName: credential?.name ?? null,
    isUnrestricted: credential ? !credential.restricted : true,
    accessRules: credential?.access_rules ?? null,
  }
}

interface Remembered {
  readonly bearer: Bearer | null
  readonly until: number
}

const requestTimeoutMs = 10_000
/** Beyond it the oldest are forgotten. */
const mostRemembered = 10_000

export class Keystone implements Bearers {
  readonly #db: Db
  readonly #url: string
  readonly #cacheMs: number
  readonly #known = new Map<string, Remembered>()

  /** @param url with its version */
  constructor(db: Db, url: string, cacheSeconds: number) {
    this.#db = db
    this.#url = url
    this.#cacheMs = cacheSeconds * 1000
  }

  /** The one that the settings name; null = identity is our own. */
  static of(db: Db, config: Config): Keystone | null {
    const { keystone, cacheSeconds } = config.identity
    return keystone === null ? null : new Keystone(db, identityUrl(config), cacheSeconds)
  }

  /** Everything that a token may be asked with is its bearer's own right: no user of ours is needed there. */
  async #ask(path: string, headers: Readonly<Record<string, string>>): Promise<Response> {
    try {
      return await fetch(`${this.#url}/${path}`, {
        headers: { accept: 'application/json', ...headers },
        signal: AbortSignal.timeout(requestTimeoutMs),
      })
    } catch (error) {
      throw new Unavailable(`The identity service at ${this.#url} does not answer. Try again in a moment.`, {
        cause: error,
      })
    }
  }

  async #read(response: Response): Promise<unknown> {
    if (response.ok) return await response.json()
    await response.arrayBuffer()
    if ([401, 403, 404].includes(response.status)) return null
    throw new Unavailable(`The identity service at ${this.#url} answered with ${response.status}.`)
  }

  async #validate(token: string): Promise<Bearer | null> {
    const said = await this.#read(
      await this.#ask('auth/tokens?nocatalog', {
        'x-auth-token': token,
        'x-subject-token': token,
        'openstack-identity-access-rules': '1.0',
      }),
    )
    if (said === null) return null
    const { token: read } = answer.parse(said)
    await mirror(this.#db, { user: read.user, ...(read.project ? { project: read.project } : {}) })
    return bearerIn(read)
  }

  #remember(key: string, bearer: Bearer | null): void {
    const until = Math.min(Date.now() + this.#cacheMs, bearer?.expiresAt.getTime() ?? Infinity)
    this.#known.delete(key)
    this.#known.set(key, { bearer, until })
    const [oldest] = this.#known.keys()
    if (this.#known.size > mostRemembered && oldest !== undefined) this.#known.delete(oldest)
  }

  /** null = no such token, or it is over. @throws Unavailable when Keystone does not answer */
  async findBearer(token: string): Promise<Bearer | null> {
    const key = digestOf(token).toString('base64')
    const known = this.#known.get(key)
    if (known && known.until > Date.now()) return known.bearer
    const bearer = await this.#validate(token)
    this.#remember(key, bearer)
    return bearer
  }

  /** What is remembered is found at once: there is nothing to gain by running ahead of it. */
  remembered(): null {
    return null
  }

  /** Whether there is such a project, as far as the bearer of the token sees. */
  async hasProject(id: string, token: string): Promise<boolean> {
    const said = await this.#read(await this.#ask(`projects/${encodeURIComponent(id)}`, { 'x-auth-token': token }))
    if (said === null) return false
    const { project } = projectAnswer.parse(said)
    const domain = { id: project.domain_id, name: null }
    await mirror(this.#db, { project: { id: project.id, name: project.name, domain } })
    return true
  }
}

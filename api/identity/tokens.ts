/** Tokens: issued for a password or another token, shown, and revoked. */
import { randomBytes } from 'node:crypto'
import { NotFound, Unauthenticated } from '../../core/errors.ts'
import type { Db } from '../../db/connect.ts'
import {
  defaultDomain,
  digestOf,
  findBearer,
  findProject,
  findUser,
  insertToken,
  removeExpiredTokens,
  revokeToken,
  rolesIn,
  type Bearer,
  type Named,
} from '../../db/identity.ts'
import { isPassword } from '../../db/password.ts'
import type { ProjectRow, UserRow } from '../../db/tables.ts'
import { parseBody } from '../body.ts'
import type { Call, OpenCall, Reply } from '../route.ts'
import { catalog } from './catalog.ts'
import { tokenBody, type DomainName, type ProjectName, type TokenBody, type UserName } from './token-body.ts'

function domainId(domain: DomainName): string {
  const isDefault = 'id' in domain ? domain.id === defaultDomain.id : domain.name === defaultDomain.name
  return isDefault ? defaultDomain.id : 'none such'
}

function named(what: ProjectName | UserName): Named {
  return 'id' in what ? { id: what.id } : { name: what.name, domainId: domainId(what.domain) }
}

/** Whoever proves to be a user, with the methods of the proof, and how long it holds at most. */
interface Proof {
  readonly user: UserRow
  readonly methods: readonly string[]
  readonly bearer: Bearer | null
}

/** One answer to everything that is wrong, so that nobody learns which names exist. */
async function prove(db: Db, { methods, password, token }: TokenBody['identity']): Promise<Proof> {
  if (methods.includes('password') && password) {
    const user = await findUser(db, named(password.user))
    const isRight = await isPassword(user?.passwordHash ?? null, password.user.password)
    if (isRight && user?.enabled) return { user, methods: ['password'], bearer: null }
  } else if (methods.includes('token') && token) {
    const bearer = await findBearer(db, token.id)
    const user = bearer ? await findUser(db, { id: bearer.userId }) : null
    if (bearer && user) return { user, methods: [...new Set(['token', ...bearer.methods])], bearer }
  }
  throw new Unauthenticated()
}

/** The project that the token is for: the one named, else the user's own, else none. */
async function scopeOf(db: Db, scope: TokenBody['scope'], user: UserRow): Promise<ProjectRow | null> {
  if (scope === 'unscoped') return null
  if (scope === undefined)
    return user.defaultProjectId === null ? null : await findProject(db, { id: user.defaultProjectId })
  if (!('project' in scope)) throw new Unauthenticated('This cloud knows tokens of projects only.')
  const project = await findProject(db, named(scope.project))
  const roles = project ? await rolesIn(db, user.id, project.id) : []
  if (!project?.enabled || roles.length === 0) throw new Unauthenticated()
  return project
}

/** Keystone's times have microseconds. */
function time(date: Date): string {
  return date.toISOString().replace('Z', '000Z')
}

async function view({ db, root, query, config }: OpenCall, bearer: Bearer): Promise<Readonly<Record<string, unknown>>> {
  const { projectId, projectName } = bearer
  const roles = projectId === null ? [] : await rolesIn(db, bearer.userId, projectId)
  const scoped = {
    is_domain: false,
    project: { id: projectId, name: projectName, domain: defaultDomain },
    roles: roles.map(({ id, name }) => ({ id, name })),
    ...(query.has('nocatalog') ? {} : { catalog: catalog(root, config.region) }),
  }
  return {
    methods: bearer.methods,
    user: { id: bearer.userId, name: bearer.userName, domain: defaultDomain, password_expires_at: null },
    audit_ids: [bearer.auditId],
    issued_at: time(bearer.issuedAt),
    expires_at: time(bearer.expiresAt),
    ...(projectId === null ? {} : scoped),
  }
}

const millisecondsPerHour = 3_600_000

/** A token from a token does not live longer than the first one. */
function expiryOf(hours: number, { bearer }: Proof): Date {
  return bearer?.expiresAt ?? new Date(Date.now() + hours * millisecondsPerHour)
}

export async function issue(call: OpenCall): Promise<Reply> {
  const { db, config } = call
  const { identity, scope } = parseBody(tokenBody, call.body).auth
  const proof = await prove(db, identity)
  const project = await scopeOf(db, scope, proof.user)
  const token = randomBytes(32).toString('base64url')
  await removeExpiredTokens(db)
  await insertToken(db, {
    digest: digestOf(token),
    userId: proof.user.id,
    projectId: project?.id ?? null,
    methods: proof.methods,
    auditId: randomBytes(16).toString('base64url'),
    expiresAt: expiryOf(config.tokenHours, proof),
  })
  const bearer = await findBearer(db, token)
  if (!bearer) throw new Unauthenticated()
  return { status: 201, body: { token: await view(call, bearer) }, headers: { 'X-Subject-Token': token } }
}

/** The token that a request is about: the caller's own, or any, for an administrator. */
async function subjectOf({ db, caller, header }: Call): Promise<{ readonly token: string; readonly bearer: Bearer }> {
  const token = header('x-subject-token') ?? ''
  const bearer = await findBearer(db, token)
  if (!bearer || (!caller.isAdmin && bearer.userId !== caller.userId)) throw new NotFound('Token', 'of the request')
  return { token, bearer }
}

export async function validate(call: Call): Promise<Reply> {
  const { token, bearer } = await subjectOf(call)
  return { status: 200, body: { token: await view(call, bearer) }, headers: { 'X-Subject-Token': token } }
}

export async function check(call: Call): Promise<Reply> {
  const { token } = await subjectOf(call)
  return { status: 200, headers: { 'X-Subject-Token': token } }
}

export async function revoke(call: Call): Promise<Reply> {
  const { token } = await subjectOf(call)
  await revokeToken(call.db, token)
  return { status: 204 }
}

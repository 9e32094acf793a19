/** Tokens: issued for a proof, shown, and revoked. */
import { randomBytes } from 'node:crypto'
import { Forbidden, Unauthenticated } from '../../core/errors.ts'
import type { Db } from '../../db/connect.ts'
import type { Place } from '../../db/identity/assignments.ts'
import { findDomain } from '../../db/identity/domains.ts'
import { findProject } from '../../db/identity/projects.ts'
import {
  digestOf,
  findBearer,
  insertToken,
  removeExpiredTokens,
  revokeToken,
  type Bearer,
} from '../../db/identity/tokens.ts'
import { parseBody } from '../body.ts'
import { allow } from '../policy.ts'
import type { Call, OpenCall, Reply } from '../route.ts'
import { Missing } from './answer.ts'
import { named } from './names.ts'
import { prove, type Proof } from './prove.ts'
import { tokenBody, type TokenBody } from './token-body.ts'
import { tokenView } from './token-view.ts'

const nowhere: Place = { projectId: null, domainId: null, isSystem: false }

/** @throws Unauthenticated when there is no such project or domain; whether the user has a role there is found later */
async function scopeOf(db: Db, scope: Exclude<TokenBody['scope'], undefined | 'unscoped'>): Promise<Place> {
  if ('system' in scope) return { ...nowhere, isSystem: true }
  if ('project' in scope) {
    const name = await named(db, scope.project)
    const project = name ? await findProject(db, name) : null
    if (!project) throw new Unauthenticated()
    return { ...nowhere, projectId: project.id }
  }
  const domain = await findDomain(db, scope.domain)
  if (!domain) throw new Unauthenticated()
  return { ...nowhere, domainId: domain.id }
}

const millisecondsPerHour = 3_600_000

/** A token does not outlive what it was made of. */
function expiryOf(hours: number, { bearer, credential }: Proof): Date {
  if (bearer) return bearer.expiresAt
  const ends = [Date.now() + hours * millisecondsPerHour, credential?.expiresAt?.getTime() ?? Infinity]
  return new Date(Math.min(...ends))
}

interface Issued {
  readonly token: string
  readonly bearer: Bearer
}

/** A token in a place where its bearer has a role, or in none; null when the user has no role there, or it is disabled. */
async function issueAt({ db, config }: OpenCall, proof: Proof, place: Place): Promise<Issued | null> {
  const token = randomBytes(32).toString('base64url')
  await insertToken(db, {
    ...place,
    digest: digestOf(token),
    userId: proof.user.id,
    methods: proof.methods,
    auditId: randomBytes(16).toString('base64url'),
    parentAuditId: proof.bearer ? (proof.bearer.parentAuditId ?? proof.bearer.auditId) : null,
    applicationCredentialId: proof.credential?.id ?? null,
    expiresAt: expiryOf(config.tokenHours, proof),
  })
  const bearer = await findBearer(db, token)
  if (!bearer) await revokeToken(db, token)
  return bearer ? { token, bearer } : null
}

/** Where no scope is asked for, it is the user's own project, if it may go there. */
async function issueSomewhere(call: OpenCall, proof: Proof, scope: TokenBody['scope']): Promise<Issued | null> {
  if (proof.credential) {
    const place = { ...nowhere, projectId: proof.credential.projectId }
    if (scope !== undefined && (scope === 'unscoped' || (await scopeOf(call.db, scope)).projectId !== place.projectId))
      throw new Forbidden('An application credential is for its own project only.')
    return await issueAt(call, proof, place)
  }
  if (scope === 'unscoped') return await issueAt(call, proof, nowhere)
  if (scope !== undefined) return await issueAt(call, proof, await scopeOf(call.db, scope))
  const own = proof.user.defaultProjectId
  const project = own === null ? null : await findProject(call.db, { id: own })
  return (
    (project && (await issueAt(call, proof, { ...nowhere, projectId: project.id }))) ??
    (await issueAt(call, proof, nowhere))
  )
}

export async function issue(call: OpenCall): Promise<Reply> {
  const { identity, scope } = parseBody(tokenBody, call.body).auth
  const proof = await prove(call, identity)
  await removeExpiredTokens(call.db)
  const issued = await issueSomewhere(call, proof, scope)
  if (!issued) throw new Unauthenticated()
  const view = await tokenView(call, issued.bearer)
  return { status: 201, body: { token: view }, headers: { 'X-Subject-Token': issued.token } }
}

/** The token that a request is about: of the caller itself, or any, for those who may. */
async function subjectOf(
  { db, caller, header }: Call,
  rule: 'identity:validate_token' | 'identity:revoke_token',
): Promise<Issued> {
  const token = header('x-subject-token') ?? ''
  const bearer = await findBearer(db, token)
  if (bearer?.userId !== caller.userId) allow(caller, rule)
  if (!bearer) throw new Missing('token', 'of the request')
  return { token, bearer }
}

export async function validate(call: Call): Promise<Reply> {
  const { token, bearer } = await subjectOf(call, 'identity:validate_token')
  return { status: 200, body: { token: await tokenView(call, bearer) }, headers: { 'X-Subject-Token': token } }
}

export async function check(call: Call): Promise<Reply> {
  const { token } = await subjectOf(call, 'identity:validate_token')
  return { status: 200, headers: { 'X-Subject-Token': token } }
}

export async function revoke(call: Call): Promise<Reply> {
  const { token } = await subjectOf(call, 'identity:revoke_token')
  await revokeToken(call.db, token)
  return { status: 204 }
}

/** Secrets of a user for one project, for programs: they may be narrower than the user, and end. */
import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import type { AccessRule } from '../../core/identity.ts'
import { Forbidden, Invalid } from '../../core/errors.ts'
import * as rows from '../../db/identity/application-credentials.ts'
import { rolesAt } from '../../db/identity/assignments.ts'
import { hashPassword } from '../../db/password.ts'
import { parseBody } from '../body.ts'
import { projectOf } from '../caller.ts'
import type { Call, Reply } from '../route.ts'
import { allowIn, allowOwn, found, listReply, Missing, self, time, type Json } from './answer.ts'
import { descriptionField, nameField, newId } from './bodies.ts'
import { findUser } from './users.ts'

function view(call: Call, row: rows.ApplicationCredential): Json {
  const { id, name, description, projectId, userId, unrestricted, roles, expiresAt, accessRules } = row
  return {
    id,
    name,
    description: description === '' ? null : description,
    project_id: projectId,
    user_id: userId,
    roles: roles.map((role) => ({ ...role, domain_id: null })),
    unrestricted,
    expires_at: expiresAt && time(expiresAt).replace('Z', ''),
    ...(accessRules === null ? {} : { access_rules: accessRules }),
    links: self(call, `users/${userId}/application_credentials/${id}`),
  }
}

/** An administrator looks at others' too, and changes none. */
async function seenUser(call: Call): Promise<string> {
  const { user = '' } = call.params
  const isOwn = user === call.caller.userId
  allowOwn(call, isOwn, 'identity:list_application_credentials')
  if (!isOwn) allowIn(call, (await findUser(call, user)).domainId)
  return user
}

export async function index(call: Call): Promise<Reply> {
  const userId = await seenUser(call)
  const all = await rows.listCredentials(call.db, userId, { name: call.query.get('name') })
  const entries = all.map((row) => view(call, row))
  return listReply(call, 'application_credentials', entries, `users/${userId}/application_credentials`)
}

export async function show(call: Call): Promise<Reply> {
  const { id = '' } = call.params
  const row = found(await rows.findCredential(call.db, await seenUser(call), id), 'application credential', id)
  return { status: 200, body: { application_credential: view(call, row) } }
}

const role = z.union([z.object({ id: z.string() }), z.object({ name: z.string() })])
const accessRule = z.object({
  service: z.string().min(1).max(64),
  method: z.enum(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']),
  path: z.string().startsWith('/').max(128),
})
const body = z.object({
  application_credential: z.object({
    name: nameField,
    description: descriptionField,
    secret: z.string().min(1).max(1024).nullable().optional(),
    expires_at: z.string().nullable().optional(),
    roles: z.array(role).nullable().optional(),
    unrestricted: z.boolean().nullable().optional(),
    access_rules: z.array(accessRule).nullable().optional(),
    project_id: z.string().optional(),
  }),
})
type Wanted = z.output<typeof body>['application_credential']

/** Times without a zone are UTC. */
function expiryOf(text: string | null | undefined): Date | null {
  if (text === null || text === undefined) return null
  const date = new Date(/(Z|[+-]\d\d:?\d\d)$/.test(text) ? text : `${text}Z`)
  if (Number.isNaN(date.getTime())) throw new Invalid(`expires_at is no time: ${text}`)
  if (date.getTime() <= Date.now()) throw new Invalid('expires_at is in the past.')
  return date
}

/** Those asked for, or all that the token has. @throws Invalid for one that the caller has not got */
async function rolesFor({ db, caller }: Call, projectId: string, { roles }: Wanted): Promise<readonly string[]> {
  const held = await rolesAt(db, caller.userId, { projectId, domainId: null, isSystem: false })
  const usable = held.filter(({ name }) => caller.roles.includes(name))
  if (!roles || roles.length === 0) return usable.map(({ id }) => id)
  return roles.map((wanted) => {
    const match = usable.find((one) => ('id' in wanted ? one.id === wanted.id : one.name === wanted.name))
    if (!match)
      throw new Invalid(`Could not find role assignment with role: ${'id' in wanted ? wanted.id : wanted.name}.`)
    return match.id
  })
}

/** A program that got in by a credential makes and removes none, unless its credential says that it may. @throws Forbidden */
function allowOwner(call: Call): void {
  const { caller } = call
  if (call.params.user !== caller.userId)
    throw new Forbidden('Application credentials are made and removed by their own user only.')
  if (!caller.isUnrestricted)
    throw new Forbidden('This token comes from a restricted application credential: it cannot manage credentials.')
}

function accessRulesOf(caller: Call['caller'], { access_rules: wanted }: Wanted): readonly AccessRule[] | null {
  if (caller.accessRules !== null) throw new Forbidden('A credential with access rules makes no other.')
  return wanted ? wanted.map((rule) => ({ id: newId(), ...rule })) : null
}

/** The secret is told once, here. */
export async function create(call: Call): Promise<Reply> {
  allowOwner(call)
  const { caller, db } = call
  const projectId = projectOf(caller)
  const { application_credential: wanted } = parseBody(body, call.body)
  const secret = wanted.secret ?? randomBytes(48).toString('base64url')
  const id = newId()
  const credential = {
    id,
    userId: caller.userId,
    projectId,
    name: wanted.name,
    description: wanted.description ?? '',
    secretHash: await hashPassword(secret),
    unrestricted: wanted.unrestricted ?? false,
    accessRules: accessRulesOf(caller, wanted),
    expiresAt: expiryOf(wanted.expires_at),
  }
  const roleIds = await rolesFor(call, projectId, wanted)
  await db.transaction((trx) => rows.insertCredential(trx, credential, roleIds))
  const row = found(await rows.findCredential(db, caller.userId, id), 'application credential', id)
  return { status: 201, body: { application_credential: { ...view(call, row), secret } } }
}

/** Tokens made of it end with it. */
export async function remove(call: Call): Promise<Reply> {
  allowOwner(call)
  const { id = '' } = call.params
  if (!(await rows.deleteCredential(call.db, call.caller.userId, id))) throw new Missing('application credential', id)
  return { status: 204 }
}

interface OwnedRule {
  readonly rule: AccessRule
  readonly userId: string
}

/** Access rules live with the credential that has them. */
async function rulesOf(call: Call): Promise<readonly OwnedRule[]> {
  const userId = await seenUser(call)
  const all = await rows.listCredentials(call.db, userId, { name: null })
  return all.flatMap(({ accessRules }) => (accessRules ?? []).map((rule) => ({ rule, userId })))
}

function ruleView(call: Call, { rule, userId }: OwnedRule): Json {
  return { ...rule, links: self(call, `users/${userId}/access_rules/${rule.id}`) }
}

export async function accessRules(call: Call): Promise<Reply> {
  const entries = (await rulesOf(call)).map((owned) => ruleView(call, owned))
  return listReply(call, 'access_rules', entries, `users/${call.params.user ?? ''}/access_rules`)
}

export async function accessRuleOf(call: Call): Promise<Reply> {
  const { id = '' } = call.params
  const owned = found((await rulesOf(call)).find(({ rule }) => rule.id === id) ?? null, 'access rule', id)
  return { status: 200, body: { access_rule: ruleView(call, owned) } }
}

/** One in use stays. @throws Forbidden */
export async function removeAccessRule(call: Call): Promise<Reply> {
  const { id = '' } = call.params
  found((await rulesOf(call)).find(({ rule }) => rule.id === id) ?? null, 'access rule', id)
  throw new Forbidden('The access rule is in use by an application credential: delete that one.')
}

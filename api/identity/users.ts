import { z } from 'zod'
import { Forbidden, Invalid } from '../../core/errors.ts'
import { isCloudAdmin } from '../../db/identity/admins.ts'
import { findDomain } from '../../db/identity/domains.ts'
import { revokeTokensOf } from '../../db/identity/tokens.ts'
import * as rows from '../../db/identity/users.ts'
import { hashPassword } from '../../db/password.ts'
import type { UserRow } from '../../db/tables.ts'
import { parseBody } from '../body.ts'
import type { Call, OpenCall, Reply } from '../route.ts'
import { allowIn, allowOwn, filterOf, found, listReply, self, type Json } from './answer.ts'
import { nameField, newId, noOptions } from './bodies.ts'

export function userView(call: Call, { id, name, enabled, domainId, defaultProjectId, extra }: UserRow): Json {
  return {
    ...extra,
    id,
    name,
    enabled,
    domain_id: domainId,
    ...(defaultProjectId === null ? {} : { default_project_id: defaultProjectId }),
    password_expires_at: null,
    options: {},
    links: self(call, `users/${id}`),
  }
}

export async function index(call: Call): Promise<Reply> {
  const all = await rows.listUsers(call.db, filterOf(call, ['id', 'name', 'domain_id', 'enabled']))
  return listReply(
    call,
    'users',
    all.map((row) => userView(call, row)),
  )
}

export async function findUser({ db }: OpenCall, id: string): Promise<UserRow> {
  return found(await rows.findUser(db, { id }), 'user', id)
}

export async function show(call: Call): Promise<Reply> {
  const { id = '' } = call.params
  const isOwn = id === call.caller.userId
  allowOwn(call, isOwn, 'identity:get_user')
  const row = await findUser(call, id)
  if (!isOwn) allowIn(call, row.domainId)
  return { status: 200, body: { user: userView(call, row) } }
}

/** @throws Forbidden to an administrator of one domain, where the user leads the whole cloud */
export async function allowChange(call: Call, user: UserRow): Promise<void> {
  allowIn(call, user.domainId)
  if (call.caller.domainId !== null && (await isCloudAdmin(call.db, user.id)))
    throw new Forbidden('An administrator of the cloud is changed by another one only.')
}

/** The library takes longer for longer ones: nobody makes it work for nothing. */
const passwordField = z.string().min(1).max(1024)
const fields = {
  password: passwordField.nullable().optional(),
  enabled: z.boolean().optional(),
  domain_id: z.string().nullable().optional(),
  default_project_id: z.string().nullable().optional(),
  options: noOptions,
}
const newUser = z.object({ user: z.looseObject({ ...fields, name: nameField }) })
const changedUser = z.object({ user: z.looseObject({ ...fields, name: nameField.optional() }) })
const reserved = ['id', 'links', 'name', 'original_password', 'password_expires_at', ...Object.keys(fields)]

/** Mail address, description and what else is no field of ours is kept as it is. */
function extraOf(wanted: Json): Json {
  return Object.fromEntries(Object.entries(wanted).filter(([name]) => !reserved.includes(name)))
}

async function hashOf(password: string | null | undefined): Promise<string | null> {
  return password === null || password === undefined ? null : await hashPassword(password)
}

export async function create(call: Call): Promise<Reply> {
  const { db, caller } = call
  const { user: wanted } = parseBody(newUser, call.body)
  const domainId = wanted.domain_id ?? caller.domainId ?? caller.projectDomainId ?? caller.userDomainId
  allowIn(call, domainId)
  if (!(await findDomain(db, { id: domainId }))) throw new Invalid(`Could not find domain: ${domainId}.`)
  const id = newId()
  await rows.insertUser(db, {
    id,
    domainId,
    name: wanted.name,
    passwordHash: await hashOf(wanted.password),
    enabled: wanted.enabled ?? true,
    defaultProjectId: wanted.default_project_id ?? null,
    extra: extraOf(wanted),
  })
  return { status: 201, body: { user: userView(call, await findUser(call, id)) } }
}

/** A new password, or being disabled, ends all tokens of the user. */
export async function update(call: Call): Promise<Reply> {
  const user = await findUser(call, call.params.id ?? '')
  await allowChange(call, user)
  const { user: wanted } = parseBody(changedUser, call.body)
  if ((wanted.domain_id ?? user.domainId) !== user.domainId) throw new Invalid('Change of domain_id is not supported.')
  const change = {
    name: wanted.name,
    enabled: wanted.enabled,
    defaultProjectId: wanted.default_project_id,
    extra: { ...user.extra, ...extraOf(wanted) },
    ...(wanted.password === undefined ? {} : { passwordHash: await hashOf(wanted.password) }),
  }
  const changed = await call.db.transaction(async (trx) => {
    if (wanted.password !== undefined || wanted.enabled === false) await revokeTokensOf(trx, user.id)
    return await rows.updateUser(trx, user.id, change)
  })
  return { status: 200, body: { user: userView(call, found(changed, 'user', user.id)) } }
}

export async function remove(call: Call): Promise<Reply> {
  const user = await findUser(call, call.params.id ?? '')
  await allowChange(call, user)
  await rows.deleteUser(call.db, user.id)
  return { status: 204 }
}

import { z } from 'zod'
import { Forbidden, Invalid } from '../../core/errors.ts'
import { isGroupOfAdmins } from '../../db/identity/admins.ts'
import { findDomain } from '../../db/identity/domains.ts'
import * as rows from '../../db/identity/groups.ts'
import type { GroupRow } from '../../db/tables.ts'
import { parseBody } from '../body.ts'
import type { Call, Reply } from '../route.ts'
import { allowIn, allowOwn, filterOf, found, listReply, Missing, self, type Json } from './answer.ts'
import { descriptionField, nameField, newId } from './bodies.ts'
import { allowChange, findUser, userView } from './users.ts'

function view(call: Call, { id, name, description, domainId }: GroupRow): Json {
  return { id, name, description, domain_id: domainId, links: self(call, `groups/${id}`) }
}

export async function index(call: Call): Promise<Reply> {
  const all = await rows.listGroups(call.db, filterOf(call, ['id', 'name', 'domain_id']))
  return listReply(
    call,
    'groups',
    all.map((row) => view(call, row)),
  )
}

/** The groups that a user is a member of. */
export async function indexOf(call: Call): Promise<Reply> {
  const { id = '' } = call.params
  const isOwn = id === call.caller.userId
  allowOwn(call, isOwn, 'identity:list_groups')
  const user = await findUser(call, id)
  if (!isOwn) allowIn(call, user.domainId)
  const entries = (await rows.listGroupsOf(call.db, id)).map((row) => view(call, row))
  return listReply(call, 'groups', entries, `users/${id}/groups`)
}

async function find(call: Call): Promise<GroupRow> {
  const { id = '' } = call.params
  const group = found(await rows.findGroup(call.db, id), 'group', id)
  allowIn(call, group.domainId)
  return group
}

export async function show(call: Call): Promise<Reply> {
  return { status: 200, body: { group: view(call, await find(call)) } }
}

const fields = { description: descriptionField, domain_id: z.string().nullable().optional() }
const newGroup = z.object({ group: z.object({ ...fields, name: nameField }) })
const changedGroup = z.object({ group: z.object({ ...fields, name: nameField.optional() }) })

export async function create(call: Call): Promise<Reply> {
  const { db, caller } = call
  const { group: wanted } = parseBody(newGroup, call.body)
  const domainId = wanted.domain_id ?? caller.domainId ?? caller.projectDomainId ?? caller.userDomainId
  allowIn(call, domainId)
  if (!(await findDomain(db, { id: domainId }))) throw new Invalid(`Could not find domain: ${domainId}.`)
  const id = newId()
  await rows.insertGroup(db, { id, domainId, name: wanted.name, description: wanted.description ?? '' })
  return { status: 201, body: { group: view(call, found(await rows.findGroup(db, id), 'group', id)) } }
}

export async function update(call: Call): Promise<Reply> {
  const group = await find(call)
  const { name, description, domain_id: domainId } = parseBody(changedGroup, call.body).group
  if ((domainId ?? group.domainId) !== group.domainId) throw new Invalid('Change of domain_id is not supported.')
  const change = { name, description: description === null ? '' : description }
  const changed = found(await rows.updateGroup(call.db, group.id, change), 'group', group.id)
  return { status: 200, body: { group: view(call, changed) } }
}

export async function remove(call: Call): Promise<Reply> {
  await rows.deleteGroup(call.db, (await find(call)).id)
  return { status: 204 }
}

export async function members(call: Call): Promise<Reply> {
  const { id } = await find(call)
  const entries = (await rows.listMembers(call.db, id)).map((row) => userView(call, row))
  return listReply(call, 'users', entries, `groups/${id}/users`)
}

export async function checkMember(call: Call): Promise<Reply> {
  const { id } = await find(call)
  const { user = '' } = call.params
  if (!(await rows.isMember(call.db, id, (await findUser(call, user)).id))) throw new Missing('user in the group', user)
  return { status: 204 }
}

/** Whoever leads one domain makes nobody an administrator of the cloud by way of a group. @throws Forbidden */
async function changeable(call: Call): Promise<{ readonly groupId: string; readonly userId: string }> {
  const group = await find(call)
  const user = await findUser(call, call.params.user ?? '')
  await allowChange(call, user)
  if (call.caller.domainId !== null && (await isGroupOfAdmins(call.db, group.id)))
    throw new Forbidden('A group of administrators is changed by an administrator of the cloud only.')
  return { groupId: group.id, userId: user.id }
}

export async function addMember(call: Call): Promise<Reply> {
  const { groupId, userId } = await changeable(call)
  await rows.addMember(call.db, groupId, userId)
  return { status: 204 }
}

export async function removeMember(call: Call): Promise<Reply> {
  const { groupId, userId } = await changeable(call)
  if (!(await rows.removeMember(call.db, groupId, userId))) throw new Missing('user in the group', userId)
  return { status: 204 }
}

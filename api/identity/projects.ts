import { z } from 'zod'
import { Forbidden, Invalid } from '../../core/errors.ts'
import { rolesAt } from '../../db/identity/assignments.ts'
import { findDomain } from '../../db/identity/domains.ts'
import * as rows from '../../db/identity/projects.ts'
import type { ProjectRow } from '../../db/tables.ts'
import { parseBody } from '../body.ts'
import type { Call, Reply } from '../route.ts'
import { allowIn, allowOwn, filterOf, found, listReply, self, type Json } from './answer.ts'
import { descriptionField, nameField, newId, noOptions, tagsField } from './bodies.ts'

export function projectView(call: Call, row: ProjectRow): Json {
  const { id, name, description, enabled, domainId, parentId, tags, extra } = row
  return {
    ...extra,
    id,
    name,
    description,
    enabled,
    domain_id: domainId,
    parent_id: parentId ?? domainId,
    is_domain: false,
    tags,
    options: {},
    links: self(call, `projects/${id}`),
  }
}

/** A project whose parent is its domain has none in its row. */
export async function index(call: Call): Promise<Reply> {
  const { query } = call
  const tags = query.get('tags')
  const { equal, likes } = filterOf(call, ['id', 'name', 'domain_id', 'enabled', 'parent_id'])
  const all =
    query.get('is_domain')?.toLowerCase() === 'true'
      ? []
      : await rows.listProjects(call.db, { equal, likes, tags: tags === null ? null : tags.split(',') })
  return listReply(
    call,
    'projects',
    all.map((row) => projectView(call, row)),
  )
}

export async function findProject({ db, params: { id = '' } }: Call): Promise<ProjectRow> {
  return found(await rows.findProject(db, { id }), 'project', id)
}

/** A user sees those in which it has a role. */
export async function show(call: Call): Promise<Reply> {
  const { id = '' } = call.params
  const { caller, db } = call
  const place = { projectId: id, domainId: null, isSystem: false }
  const isOwn = caller.projectId === id || (await rolesAt(db, caller.userId, place)).length > 0
  allowOwn(call, isOwn, 'identity:get_project')
  const row = await findProject(call)
  if (!isOwn) allowIn(call, row.domainId)
  return { status: 200, body: { project: projectView(call, row) } }
}

/** The projects in which the caller, or a named user, has a role. */
export async function indexOf(call: Call): Promise<Reply> {
  const userId = call.params.id ?? call.caller.userId
  allowOwn(call, userId === call.caller.userId, 'identity:list_projects')
  const all = await rows.listProjectsOf(call.db, userId)
  const isSeen = ({ domainId }: ProjectRow): boolean =>
    userId === call.caller.userId || call.caller.domainId === null || call.caller.domainId === domainId
  const path = call.params.id === undefined ? 'auth/projects' : `users/${userId}/projects`
  return listReply(
    call,
    'projects',
    all.filter(isSeen).map((row) => projectView(call, row)),
    path,
  )
}

const fields = {
  description: descriptionField,
  enabled: z.boolean().optional(),
  is_domain: z.literal(false, 'A project that acts as a domain is made with POST /v3/domains.').optional(),
  domain_id: z.string().nullable().optional(),
  parent_id: z.string().nullable().optional(),
  tags: tagsField.optional(),
  options: noOptions,
}
const newProject = z.object({ project: z.looseObject({ ...fields, name: nameField }) })
const changedProject = z.object({ project: z.looseObject({ ...fields, name: nameField.optional() }) })
const reserved = ['id', 'links', 'name', ...Object.keys(fields)]

/** What is no field of ours is kept as it is. */
function extraOf(wanted: Json): Json {
  return Object.fromEntries(Object.entries(wanted).filter(([name]) => !reserved.includes(name)))
}

/** Of the domain named, else that of the parent, else that of the caller. */
async function lineOf(
  { db, caller }: Call,
  {
    domain_id: wanted,
    parent_id: above,
  }: { readonly domain_id?: string | null | undefined; readonly parent_id?: string | null | undefined },
): Promise<{ readonly domainId: string; readonly parentId: string | null }> {
  const parent = above === null || above === undefined ? null : await rows.findProject(db, { id: above })
  const domainId =
    wanted ?? parent?.domainId ?? above ?? caller.domainId ?? caller.projectDomainId ?? caller.userDomainId
  if (!(await findDomain(db, { id: domainId }))) throw new Invalid(`Could not find domain: ${domainId}.`)
  if (above !== null && above !== undefined && !parent && above !== domainId)
    throw new Invalid(`Could not find project: ${above}.`)
  if (parent && parent.domainId !== domainId)
    throw new Invalid('The project and its parent project must be in the same domain.')
  return { domainId, parentId: parent?.id ?? null }
}

export async function create(call: Call): Promise<Reply> {
  const { project: wanted } = parseBody(newProject, call.body)
  const line = await lineOf(call, wanted)
  allowIn(call, line.domainId)
  const id = newId()
  const { name, description, enabled = true, tags = [] } = wanted
  const project = { id, ...line, name, description: description ?? '', enabled, tags, extra: extraOf(wanted) }
  await rows.insertProject(call.db, project)
  const row = found(await rows.findProject(call.db, { id }), 'project', id)
  return { status: 201, body: { project: projectView(call, row) } }
}

export async function update(call: Call): Promise<Reply> {
  const row = await findProject(call)
  allowIn(call, row.domainId)
  const { project: wanted } = parseBody(changedProject, call.body)
  if ((wanted.domain_id ?? row.domainId) !== row.domainId) throw new Invalid('Change of domain_id is not supported.')
  const parent = row.parentId ?? row.domainId
  if ((wanted.parent_id ?? parent) !== parent) throw new Forbidden('Updating the parent of a project is not allowed.')
  const { name, description, enabled, tags } = wanted
  const extra = { ...row.extra, ...extraOf(wanted) }
  const change = { name, description: description === null ? '' : description, enabled, tags, extra }
  const changed = found(await rows.updateProject(call.db, row.id, change), 'project', row.id)
  return { status: 200, body: { project: projectView(call, changed) } }
}

export async function remove(call: Call): Promise<Reply> {
  const row = await findProject(call)
  allowIn(call, row.domainId)
  if (!(await rows.deleteProject(call.db, row.id)))
    throw new Forbidden(`Cannot delete the project ${row.id}: it has projects below it.`)
  return { status: 204 }
}

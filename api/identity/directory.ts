/** Who and what is there: users, projects, roles, domains and the catalogue, to look at. */
import { Forbidden, NotFound } from '../../core/errors.ts'
import { defaultDomain, findProject, findUser, listProjects, listRoles, listUsers } from '../../db/identity.ts'
import type { ProjectRow, RoleRow, UserRow } from '../../db/tables.ts'
import { isAllowed } from '../policy.ts'
import type { Call, Reply } from '../route.ts'
import { catalog } from './catalog.ts'

type Json = Readonly<Record<string, unknown>>

function self({ root }: Call, path: string): Json {
  return { self: `${root}/identity/v3/${path}` }
}

function listReply(call: Call, name: string, entries: readonly Json[]): Reply {
  return { status: 200, body: { [name]: entries, links: { ...self(call, name), next: null, previous: null } } }
}

function projectView(call: Call, { id, name, description, enabled, domainId }: ProjectRow): Json {
  const links = self(call, `projects/${id}`)
  return {
    id,
    name,
    description,
    enabled,
    domain_id: domainId,
    parent_id: domainId,
    is_domain: false,
    tags: [],
    options: {},
    links,
  }
}

function userView(call: Call, { id, name, enabled, domainId, defaultProjectId }: UserRow): Json {
  const view = { id, name, enabled, domain_id: domainId, password_expires_at: null, options: {} }
  const links = self(call, `users/${id}`)
  return { ...view, links, ...(defaultProjectId === null ? {} : { default_project_id: defaultProjectId }) }
}

function roleView(call: Call, { id, name }: RoleRow): Json {
  return { id, name, domain_id: null, description: null, options: {}, links: self(call, `roles/${id}`) }
}

function domainView(call: Call): Json {
  return {
    ...defaultDomain,
    description: 'The default domain',
    enabled: true,
    options: {},
    tags: [],
    links: self(call, 'domains/default'),
  }
}

export async function projects(call: Call): Promise<Reply> {
  const rows = await listProjects(call.db, { name: call.query.get('name'), userId: null })
  return listReply(
    call,
    'projects',
    rows.map((row) => projectView(call, row)),
  )
}

/** The projects in which the caller, or a named user, has a role. */
export async function projectsOf(call: Call): Promise<Reply> {
  const userId = call.params.id ?? call.caller.userId
  refuseOthers(call, userId === call.caller.userId)
  const rows = await listProjects(call.db, { name: null, userId })
  return listReply(
    call,
    'projects',
    rows.map((row) => projectView(call, row)),
  )
}

/** @throws Forbidden when it is not the caller's own and the caller is no administrator */
function refuseOthers({ caller }: Call, isOwn: boolean): void {
  if (!isOwn && !isAllowed(caller, 'identity:list_all'))
    throw new Forbidden('You are not authorized to perform the requested action.')
}

export async function project(call: Call): Promise<Reply> {
  const { id = '' } = call.params
  refuseOthers(call, id === call.caller.projectId)
  const row = await findProject(call.db, { id })
  if (!row) throw new NotFound('Could not find project:', id)
  return { status: 200, body: { project: projectView(call, row) } }
}

export async function users(call: Call): Promise<Reply> {
  const rows = await listUsers(call.db, { name: call.query.get('name') })
  return listReply(
    call,
    'users',
    rows.map((row) => userView(call, row)),
  )
}

export async function user(call: Call): Promise<Reply> {
  const { id = '' } = call.params
  refuseOthers(call, id === call.caller.userId)
  const row = await findUser(call.db, { id })
  if (!row) throw new NotFound('Could not find user:', id)
  return { status: 200, body: { user: userView(call, row) } }
}

export async function roles(call: Call): Promise<Reply> {
  const rows = await listRoles(call.db, { name: call.query.get('name') })
  return listReply(
    call,
    'roles',
    rows.map((row) => roleView(call, row)),
  )
}

export function domains(call: Call): Reply {
  const name = call.query.get('name')
  return listReply(call, 'domains', name === null || name === defaultDomain.name ? [domainView(call)] : [])
}

export function domain(call: Call): Reply {
  if (call.params.id !== defaultDomain.id) throw new NotFound('Could not find domain:', call.params.id ?? '')
  return { status: 200, body: { domain: domainView(call) } }
}

export function authCatalog(call: Call): Reply {
  const links = self(call, 'auth/catalog')
  return { status: 200, body: { catalog: catalog(call.root, call.config.region), links } }
}

export function services(call: Call): Reply {
  const entries = catalog(call.root, call.config.region).map(({ id, type, name }) => ({
    id,
    type,
    name,
    enabled: true,
    links: self(call, `services/${id}`),
  }))
  const type = call.query.get('type')
  return listReply(
    call,
    'services',
    entries.filter((entry) => type === null || entry.type === type),
  )
}

export function endpoints(call: Call): Reply {
  const entries = catalog(call.root, call.config.region).flatMap((service) =>
    service.endpoints.map((endpoint) => ({
      ...endpoint,
      service_id: service.id,
      enabled: true,
      links: self(call, `endpoints/${endpoint.id}`),
    })),
  )
  return listReply(call, 'endpoints', entries)
}

export function regions(call: Call): Reply {
  const { region } = call.config
  return listReply(call, 'regions', [
    { id: region, description: '', parent_region_id: null, links: self(call, `regions/${region}`) },
  ])
}

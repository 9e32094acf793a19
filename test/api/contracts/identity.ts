/** Identity v3. Source: Keystone's API reference. */
import { z } from 'zod'
import type { Contract, Contracts } from './contract.ts'
import { nothing } from './shape.ts'
import { text, texts, zonedMicros } from './words.ts'

const self = z.strictObject({ self: z.url() })
const listLinks = z.strictObject({ self: z.url(), next: z.url().nullable(), previous: z.url().nullable() })
const id = z.string().min(1).max(64)
const options = z.strictObject({})
const many = (name: string, entry: z.ZodType): Contract => ({
  gives: { 200: z.strictObject({ [name]: z.array(entry), links: listLinks }) },
})
const shown = (name: string, entry: z.ZodType): Contract => ({ gives: { 200: z.strictObject({ [name]: entry }) } })
/** Keystone looks at its own key of a body, and at no other. */
const taken = (name: string, status: 200 | 201, entry: z.ZodType): Contract => ({
  takes: z.looseObject({ [name]: z.looseObject({}) }),
  gives: { [status]: z.strictObject({ [name]: entry }) },
})
const done: Contract = { gives: { 204: nothing } }

/** The five requests that everything in the directory has. */
function resource(path: string, [one, all]: readonly [string, string], entry: z.ZodType): Contracts {
  return {
    [`GET /identity/v3/${path}`]: many(all, entry),
    [`POST /identity/v3/${path}`]: taken(one, 201, entry),
    [`GET /identity/v3/${path}/:id`]: shown(one, entry),
    [`PATCH /identity/v3/${path}/:id`]: taken(one, 200, entry),
    [`DELETE /identity/v3/${path}/:id`]: done,
  }
}

const named = z.strictObject({ id, name: text })
const inDomain = z.strictObject({ id, name: text, domain: named })
const endpoint = z.strictObject({
  id,
  interface: z.enum(['public', 'internal', 'admin']),
  region: text.nullable(),
  region_id: text.nullable(),
  url: z.url(),
})
const catalog = z.array(z.strictObject({ id, type: text, name: text, endpoints: z.array(endpoint) }))
const accessRule = z.strictObject({ id, service: text, method: text, path: text })
const token = z.strictObject({
  methods: z.array(z.enum(['password', 'token', 'application_credential'])),
  user: z.strictObject({ id, name: text, domain: named, password_expires_at: z.null() }),
  audit_ids: z.array(text).min(1).max(2),
  issued_at: zonedMicros,
  expires_at: zonedMicros,
  is_domain: z.boolean().optional(),
  project: inDomain.optional(),
  domain: named.optional(),
  system: z.strictObject({ all: z.literal(true) }).optional(),
  roles: z.array(named).min(1).optional(),
  catalog: catalog.optional(),
  application_credential: z
    .strictObject({ id, name: text, restricted: z.boolean(), access_rules: z.array(accessRule).optional() })
    .optional(),
})

const version = z.strictObject({
  id: z.literal('v3.14'),
  status: z.literal('stable'),
  updated: z.iso.datetime(),
  links: z.tuple([z.strictObject({ rel: z.literal('self'), href: z.url() })]),
  'media-types': z.array(z.strictObject({ base: text, type: text })),
})
const oneVersion: Contract = shown('version', version)

const domain = z.strictObject({
  id,
  name: text,
  description: text,
  enabled: z.boolean(),
  tags: texts,
  options,
  links: self,
})
/** What users say beside Keystone's own fields is kept, and shown. */
const project = z.looseObject({
  id,
  name: text,
  description: text,
  enabled: z.boolean(),
  domain_id: id,
  parent_id: id,
  is_domain: z.literal(false),
  tags: texts,
  options,
  links: self,
})
const user = z
  .looseObject({
    id,
    name: text,
    enabled: z.boolean(),
    domain_id: id,
    default_project_id: id.optional(),
    password_expires_at: z.null(),
    options,
    links: self,
  })
  .refine((given) => !('password' in given) && !('original_password' in given), 'a password is never shown')
const group = z.strictObject({ id, name: text, description: text, domain_id: id, links: self })
const role = z.strictObject({ id, name: text, domain_id: z.null(), description: text.nullable(), options, links: self })

const tokens: Contracts = {
  'GET /identity/': { gives: { 300: z.strictObject({ versions: z.strictObject({ values: z.tuple([version]) }) }) } },
  'GET /identity/v3': oneVersion,
  'GET /identity/v3/': oneVersion,
  'POST /identity/v3/auth/tokens': {
    takes: z.looseObject({ auth: z.looseObject({}) }),
    gives: { 201: z.strictObject({ token }) },
  },
  'HEAD /identity/v3/auth/tokens': { gives: { 200: nothing } },
  'GET /identity/v3/auth/tokens': shown('token', token),
  'DELETE /identity/v3/auth/tokens': done,
  'GET /identity/v3/auth/projects': many('projects', project),
  'GET /identity/v3/auth/domains': many('domains', domain),
  'GET /identity/v3/auth/system': {
    gives: { 200: z.strictObject({ system: z.array(z.strictObject({ all: z.literal(true) })), links: self }) },
  },
  'GET /identity/v3/auth/catalog': { gives: { 200: z.strictObject({ catalog, links: self }) } },
}

const tags = z.strictObject({ tags: texts, links: self })
const ofProjects: Contracts = {
  ...resource('projects', ['project', 'projects'], project),
  'GET /identity/v3/projects/:id/tags': { gives: { 200: tags } },
  'PUT /identity/v3/projects/:id/tags': { takes: z.looseObject({ tags: texts }), gives: { 200: tags } },
  'DELETE /identity/v3/projects/:id/tags': done,
  'GET /identity/v3/projects/:id/tags/:tag': done,
  'HEAD /identity/v3/projects/:id/tags/:tag': done,
  'PUT /identity/v3/projects/:id/tags/:tag': { gives: { 201: nothing } },
  'DELETE /identity/v3/projects/:id/tags/:tag': done,
}

const credential = z.strictObject({
  id,
  name: text,
  description: text.nullable(),
  project_id: id,
  user_id: id,
  roles: z.array(z.strictObject({ id, name: text, domain_id: z.null() })),
  unrestricted: z.boolean(),
  expires_at: z
    .string()
    .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/)
    .nullable(),
  access_rules: z.array(accessRule).optional(),
  links: self,
})
const linkedRule = accessRule.extend({ links: self })
const ofUsers: Contracts = {
  ...resource('users', ['user', 'users'], user),
  'GET /identity/v3/users/:id/projects': many('projects', project),
  'GET /identity/v3/users/:id/groups': many('groups', group),
  'POST /identity/v3/users/:id/password': {
    takes: z.looseObject({ user: z.looseObject({ password: text, original_password: text }) }),
    gives: { 204: nothing },
  },
  'GET /identity/v3/users/:user/application_credentials': many('application_credentials', credential),
  'POST /identity/v3/users/:user/application_credentials': taken(
    'application_credential',
    201,
    credential.extend({ secret: text }),
  ),
  'GET /identity/v3/users/:user/application_credentials/:id': shown('application_credential', credential),
  'DELETE /identity/v3/users/:user/application_credentials/:id': done,
  'GET /identity/v3/users/:user/access_rules': many('access_rules', linkedRule),
  'GET /identity/v3/users/:user/access_rules/:id': shown('access_rule', linkedRule),
  // One lives as long as its credential: it is never deleted by itself.
  'DELETE /identity/v3/users/:user/access_rules/:id': { gives: {} },
  ...resource('groups', ['group', 'groups'], group),
  'GET /identity/v3/groups/:id/users': many('users', user),
  'GET /identity/v3/groups/:id/users/:user': done,
  'HEAD /identity/v3/groups/:id/users/:user': done,
  'PUT /identity/v3/groups/:id/users/:user': done,
  'DELETE /identity/v3/groups/:id/users/:user': done,
}

const short = z.strictObject({ id, name: text, links: self })
const pair = z.strictObject({ role_inference: z.strictObject({ prior_role: short, implies: short }), links: self })
const implied = z.strictObject({ prior_role: short, implies: z.array(short) })
const entity = z.strictObject({ id, name: text.optional(), domain: named.optional() })
const inherited = { 'OS-INHERIT:inherited_to': z.literal('projects').optional() }
const assignment = z.strictObject({
  role: entity,
  user: entity.optional(),
  group: entity.optional(),
  scope: z.union([
    z.strictObject({ system: z.strictObject({ all: z.literal(true) }) }),
    z.strictObject({ project: entity, ...inherited }),
    z.strictObject({ domain: entity, ...inherited }),
  ]),
  links: z.strictObject({ assignment: z.url() }),
})
const ofRoles: Contracts = {
  ...resource('roles', ['role', 'roles'], role),
  'GET /identity/v3/roles/:id/implies': {
    gives: { 200: z.strictObject({ role_inference: implied, links: self }) },
  },
  'HEAD /identity/v3/roles/:id/implies/:implied': done,
  'GET /identity/v3/roles/:id/implies/:implied': { gives: { 200: pair } },
  'PUT /identity/v3/roles/:id/implies/:implied': { gives: { 201: pair } },
  'DELETE /identity/v3/roles/:id/implies/:implied': done,
  'GET /identity/v3/role_inferences': {
    gives: { 200: z.strictObject({ role_inferences: z.array(implied), links: self }) },
  },
  'GET /identity/v3/role_assignments': many('role_assignments', assignment),
}

/** Roles of users and groups in a project, a domain or the system. */
function grants(place: string, inheritable: boolean): Contracts {
  const listing = many('roles', role)
  const changing = (path: string): Contracts =>
    Object.fromEntries(['GET', 'HEAD', 'PUT', 'DELETE'].map((method) => [`${method} ${path}`, done]))
  return ['users', 'groups'].reduce<Contracts>((all, actors) => {
    const own = `${place}/${actors}/:actor/roles`
    const further = `/identity/v3/OS-INHERIT/${own}`
    const inherited: Contracts = {
      [`GET ${further}/inherited_to_projects`]: listing,
      ...changing(`${further}/:role/inherited_to_projects`),
    }
    const plain = { [`GET /identity/v3/${own}`]: listing, ...changing(`/identity/v3/${own}/:role`) }
    return { ...all, ...plain, ...(inheritable ? inherited : {}) }
  }, {})
}

const place = z.strictObject({
  id,
  service_id: id,
  region: text.nullable(),
  region_id: text.nullable(),
  interface: z.enum(['public', 'internal', 'admin']),
  url: text,
  enabled: z.boolean(),
  links: self,
})
const service = z.strictObject({ id, type: text, name: text, description: text, enabled: z.boolean(), links: self })
const region = z.strictObject({
  id: z.string().max(255),
  description: text,
  parent_region_id: text.nullable(),
  links: self,
})

export const identity: Contracts = {
  ...tokens,
  ...resource('domains', ['domain', 'domains'], domain),
  ...ofProjects,
  ...ofUsers,
  ...ofRoles,
  ...grants('projects/:target', true),
  ...grants('domains/:target', true),
  ...grants('system', false),
  ...resource('services', ['service', 'services'], service),
  ...resource('endpoints', ['endpoint', 'endpoints'], place),
  ...resource('regions', ['region', 'regions'], region),
}

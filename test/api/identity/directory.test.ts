/** What an administrator makes, and what becomes of it. The first test goes the way of a test suite that makes credentials for itself. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { z } from 'zod'
import { clientOf, password, startApi, type Answer, type Client, type TestApi } from '../fixture.ts'

let api: TestApi
beforeAll(async () => {
  api = await startApi()
})
afterAll(async () => {
  await api.stop()
})

const v3 = '/identity/v3'
const entity = z.looseObject({ id: z.string(), name: z.string() })

function idIn({ body }: Answer, name: string): string {
  return entity.parse(z.record(z.string(), z.unknown()).parse(body)[name]).id
}

function namesIn({ body }: Answer, name: string): readonly string[] {
  const list = z.record(z.string(), z.unknown()).parse(body)[name]
  return z
    .array(entity)
    .parse(list)
    .map((entry) => entry.name)
}

function loginBody(userId: string, scope: unknown, secret = password): unknown {
  const identity = { methods: ['password'], password: { user: { id: userId, password: secret } } }
  return { auth: { identity, scope } }
}

async function logIn(userId: string, scope: unknown, secret = password): Promise<Client | null> {
  const answer = await api.nobody(`POST ${v3}/auth/tokens`, { body: loginBody(userId, scope, secret) })
  return answer.status === 201 ? clientOf(api.url, answer.headers.get('x-subject-token')) : null
}

async function make(what: string, fields: Readonly<Record<string, unknown>>): Promise<string> {
  const answer = await api.admin(`POST ${v3}/${what}s`, { body: { [what]: fields } })
  expect(answer).toMatchObject({ status: 201 })
  return idIn(answer, what)
}

async function roleId(name: string): Promise<string> {
  const { body } = await api.admin(`GET ${v3}/roles?name=${name}`)
  return z.object({ roles: z.array(entity).length(1) }).parse(body).roles[0]?.id ?? ''
}

test('projects, users and roles are made, used and removed again', async () => {
  const domains = await api.admin(`GET ${v3}/domains?name=Default`)
  expect(domains.body).toMatchObject({ domains: [{ id: 'default', name: 'Default', enabled: true }] })
  const projectId = await make('project', { name: 'tempest-1', description: 'd', domain_id: 'default' })
  const userId = await make('user', {
    name: 'tempest-1-user',
    password,
    project_id: projectId,
    email: 'one@example.com',
    domain_id: 'default',
    enabled: true,
  })
  expect(namesIn(await api.admin(`GET ${v3}/roles`), 'roles')).toEqual(['admin', 'member', 'reader'])
  const grant = `${v3}/projects/${projectId}/users/${userId}/roles/${await roleId('member')}`
  expect((await api.admin(`PUT ${grant}`)).status).toBe(204)
  expect((await api.admin(`PUT ${grant}`)).status).toBe(204)

  const user = await logIn(userId, { project: { id: projectId } })
  expect((await user?.('GET /compute/v2.1/servers'))?.status).toBe(200)
  expect((await user?.('GET /networking/v2.0/networks'))?.status).toBe(200)

  expect((await api.admin(`DELETE ${v3}/users/${userId}`)).status).toBe(204)
  expect((await api.admin(`DELETE ${v3}/users/${userId}`)).status).toBe(404)
  expect((await user?.('GET /compute/v2.1/servers'))?.status).toBe(401)
  expect((await api.admin(`DELETE ${v3}/projects/${projectId}`)).status).toBe(204)
  expect((await api.admin(`GET ${v3}/projects/${projectId}`)).status).toBe(404)
})

test('a name is taken once in a domain', async () => {
  await make('project', { name: 'twice' })
  const again = await api.admin(`POST ${v3}/projects`, { body: { project: { name: 'twice' } } })
  expect(again.status).toBe(409)
  expect(again.body).toEqual({
    error: {
      code: 409,
      title: 'Conflict',
      message: 'Conflict occurred attempting to store project - Duplicate entry found with name twice.',
    },
  })
  expect((await api.admin(`POST ${v3}/users`, { body: { user: { name: 'mia' } } })).status).toBe(409)
  expect((await api.admin(`POST ${v3}/roles`, { body: { role: { name: 'reader' } } })).status).toBe(409)
  const domainId = await make('domain', { name: 'Branch' })
  await make('project', { name: 'twice', domain_id: domainId })
  await make('user', { name: 'mia', domain_id: domainId })
})

test('a role withdrawn is gone from the tokens that there are', async () => {
  const projectId = await make('project', { name: 'fleeting' })
  const userId = await make('user', { name: 'fay', password, default_project_id: projectId })
  const path = `${v3}/projects/${projectId}/users/${userId}/roles`
  const roles = { member: await roleId('member'), reader: await roleId('reader') }
  await api.admin(`PUT ${path}/${roles.member}`)
  await api.admin(`PUT ${path}/${roles.reader}`)
  const fay = await logIn(userId, undefined)
  expect((await fay?.('POST /compute/v2.1/os-keypairs', { body: { keypair: { name: 'k' } } }))?.status).not.toBe(401)
  const network = { body: { network: { name: 'n' } } }
  expect((await fay?.('POST /networking/v2.0/networks', network))?.status).toBe(201)
  expect((await api.admin(`DELETE ${path}/${roles.member}`)).status).toBe(204)
  expect((await fay?.('POST /networking/v2.0/networks', network))?.status).toBe(403)
  expect((await fay?.('GET /networking/v2.0/networks'))?.status).toBe(200)
  expect((await api.admin(`DELETE ${path}/${roles.reader}`)).status).toBe(204)
  expect((await fay?.('GET /networking/v2.0/networks'))?.status).toBe(401)
  expect((await api.admin(`DELETE ${path}/${roles.reader}`)).status).toBe(404)
})

test('a disabled user, project or domain opens nothing', async () => {
  const domainId = await make('domain', { name: 'Far' })
  const projectId = await make('project', { name: 'far', domain_id: domainId })
  const userId = await make('user', { name: 'fred', password, domain_id: domainId })
  await api.admin(`PUT ${v3}/projects/${projectId}/users/${userId}/roles/${await roleId('member')}`)
  const scope = { project: { id: projectId } }
  for (const [what, id] of [
    ['user', userId],
    ['project', projectId],
    ['domain', domainId],
  ] as const) {
    const fred = await logIn(userId, scope)
    expect((await fred?.('GET /compute/v2.1/servers'))?.status).toBe(200)
    const switchTo = (enabled: boolean) => api.admin(`PATCH ${v3}/${what}s/${id}`, { body: { [what]: { enabled } } })
    expect((await switchTo(false)).body).toMatchObject({ [what]: { enabled: false } })
    expect((await fred?.('GET /compute/v2.1/servers'))?.status).toBe(401)
    expect(await logIn(userId, scope)).toBeNull()
    expect((await switchTo(true)).status).toBe(200)
  }
})

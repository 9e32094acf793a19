import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { z } from 'zod'
import { clientOf, startApi, type Answer, type Client, type TestApi } from '../fixture.ts'

let api: TestApi
beforeAll(async () => {
  api = await startApi()
})
afterAll(async () => {
  await api.stop()
})

const path = '/identity/v3/users/user-mia/application_credentials'
const servers = 'GET /compute/v2.1/servers'
const accessRule = z.strictObject({ id: z.string(), service: z.string(), method: z.string(), path: z.string() })
const shown = z.strictObject({
  id: z.string(),
  name: z.string(),
  description: z.string().nullable(),
  project_id: z.literal('project-shop'),
  user_id: z.literal('user-mia'),
  roles: z.array(z.strictObject({ id: z.string(), name: z.string(), domain_id: z.null() })),
  unrestricted: z.boolean(),
  expires_at: z.string().nullable(),
  access_rules: z.array(accessRule).optional(),
  links: z.strictObject({ self: z.url() }),
})
const made = z.strictObject({ application_credential: shown.extend({ secret: z.string().min(32) }) })

function ask(client: Client, fields: Readonly<Record<string, unknown>>): Promise<Answer> {
  return client(`POST ${path}`, { body: { application_credential: fields } })
}

async function make(fields: Readonly<Record<string, unknown>>) {
  const answer = await ask(api.member, fields)
  expect([answer.status, answer.body]).toEqual([201, expect.anything()])
  return made.parse(answer.body).application_credential
}

async function enter(credential: unknown): Promise<{ readonly status: number; readonly client: Client }> {
  const identity = { methods: ['application_credential'], application_credential: credential }
  const answer = await api.nobody('POST /identity/v3/auth/tokens', { body: { auth: { identity } } })
  return { status: answer.status, client: clientOf(api.url, answer.headers.get('x-subject-token')) }
}

test('a credential opens its project, by its id or by its name, until it is removed', async () => {
  const { id, secret, name, roles } = await make({ name: 'ci', description: 'builds' })
  expect(roles.map((role) => role.name)).toContain('member')
  const byId = await enter({ id, secret })
  const byName = await enter({ name, secret, user: { name: 'mia', domain: { id: 'default' } } })
  for (const { status, client } of [byId, byName]) {
    expect(status).toBe(201)
    expect((await client(servers)).status).toBe(200)
  }
  expect((await enter({ id, secret: 'wrong' })).status).toBe(401)
  const listed = await api.member(`GET ${path}`)
  const all = z.looseObject({ application_credentials: z.array(shown) }).parse(listed.body)
  expect(all.application_credentials.map((one) => one.id)).toEqual([id])
  z.strictObject({ application_credential: shown }).parse((await api.member(`GET ${path}/${id}`)).body)
  expect((await api.member(`DELETE ${path}/${id}`)).status).toBe(204)
  expect((await byId.client(servers)).status).toBe(401)
  expect((await enter({ id, secret })).status).toBe(401)
  expect((await api.member(`GET ${path}/${id}`)).status).toBe(404)
})

test('a credential has no more roles than were asked for', async () => {
  const { id, secret } = await make({ name: 'eyes', roles: [{ name: 'reader' }] })
  const { client } = await enter({ id, secret })
  expect((await client(servers)).status).toBe(200)
  expect((await client('POST /compute/v2.1/os-keypairs', { body: {} })).status).not.toBe(200)
  expect((await client('POST /compute/v2.1/servers', { body: {} })).status).toBe(403)
  expect((await ask(api.member, { name: 'crown', roles: [{ name: 'admin' }] })).status).toBe(400)
})

test('access rules narrow a credential to what they name', async () => {
  const rules = [
    { service: 'compute', method: 'GET', path: '/v2.1/servers' },
    { service: 'compute', method: 'GET', path: '/v2.1/flavors/{flavor_id}' },
  ]
  const { id, secret, access_rules: kept } = await make({ name: 'narrow', access_rules: rules })
  expect(kept).toEqual(rules.map((rule) => ({ id: expect.any(String), ...rule })))
  const { client } = await enter({ id, secret })
  expect((await client(servers)).status).toBe(200)
  expect((await client('GET /compute/v2.1/flavors/1')).status).toBe(200)
  for (const request of [
    'GET /compute/v2.1/flavors',
    'GET /compute/v2.1/flavors/1/os-extra_specs',
    'GET /image/v2/images',
  ])
    expect((await client(request)).status).toBe(403)
  const owned = await api.member('GET /identity/v3/users/user-mia/access_rules')
  const { access_rules: all } = z
    .looseObject({ access_rules: z.array(z.looseObject({ id: z.string() })) })
    .parse(owned.body)
  expect(all).toHaveLength(2)
  const one = `/identity/v3/users/user-mia/access_rules/${all[0]?.id ?? ''}`
  expect((await api.member(`GET ${one}`)).status).toBe(200)
  expect((await api.member(`DELETE ${one}`)).status).toBe(403)
})

test('a program makes further credentials only when its own says that it may, and no token of its token', async () => {
  const plain = await make({ name: 'plain' })
  const { client } = await enter({ id: plain.id, secret: plain.secret })
  expect((await ask(client, { name: 'more' })).status).toBe(403)
  const free = await make({ name: 'free', unrestricted: true })
  const freed = (await enter({ id: free.id, secret: free.secret })).client
  expect((await ask(freed, { name: 'more' })).status).toBe(201)
})

test('what is past, taken or another’s is refused', async () => {
  await make({ name: 'once', expires_at: new Date(Date.now() + 3_600_000).toISOString() })
  expect((await ask(api.member, { name: 'once' })).status).toBe(409)
  expect((await ask(api.member, { name: 'late', expires_at: '2020-01-01T00:00:00.000000' })).status).toBe(400)
  expect((await ask(api.member, { name: '' })).status).toBe(400)
  expect((await ask(api.stranger, { name: 'theirs' })).status).toBe(403)
  expect((await api.stranger(`GET ${path}`)).status).toBe(403)
  expect((await api.admin(`GET ${path}`)).status).toBe(200)
})

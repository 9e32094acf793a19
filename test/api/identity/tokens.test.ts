import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { z } from 'zod'
import { clientOf, login, password, startApi, tokenOf, type TestApi } from '../fixture.ts'

let api: TestApi
beforeAll(async () => {
  api = await startApi()
})
afterAll(async () => {
  await api.stop()
})

const named = z.strictObject({ id: z.string(), name: z.string() })
const endpoint = z.strictObject({
  id: z.string(),
  interface: z.enum(['public', 'internal', 'admin']),
  region: z.string(),
  region_id: z.string(),
  url: z.url(),
})
const token = z.strictObject({
  token: z.strictObject({
    methods: z.array(z.string()),
    user: named.extend({ domain: named, password_expires_at: z.null() }),
    project: named.extend({ domain: named }),
    is_domain: z.literal(false),
    roles: z.array(named),
    catalog: z.array(named.extend({ type: z.string(), endpoints: z.array(endpoint) })),
    audit_ids: z.array(z.string()),
    issued_at: z.iso.datetime(),
    expires_at: z.iso.datetime(),
  }),
})

test('a right password is answered with a token, the roles and the catalogue', async () => {
  const answer = await api.nobody('POST /identity/v3/auth/tokens', { body: login('mia', 'shop') })
  expect(answer.status).toBe(201)
  expect(answer.headers.get('x-subject-token')).toMatch(/^[\w-]{40,}$/)
  const { catalog, roles, user } = token.parse(answer.body).token
  expect(user.name).toBe('mia')
  expect(roles.map(({ name }) => name)).toEqual(['member', 'reader'])
  const urls = Object.fromEntries(catalog.map(({ type, endpoints }) => [type, endpoints[0]?.url]))
  expect(urls).toEqual({
    identity: `${api.url}/identity`,
    compute: `${api.url}/compute/v2.1`,
    image: `${api.url}/image`,
    network: `${api.url}/networking`,
    placement: `${api.url}/placement`,
  })
})

test('a wrong password, an unknown user and a project without a role are answered alike', async () => {
  const wrong = JSON.stringify(login('mia', 'shop')).replace(password, 'wrong')
  const answers = [wrong, login('nobody', 'shop'), login('mia', 'elsewhere'), login('mia', 'no such project')].map(
    (body) => api.nobody('POST /identity/v3/auth/tokens', { body }),
  )
  for (const { status, body } of await Promise.all(answers)) {
    expect(status).toBe(401)
    const message = 'The request you have made requires authentication.'
    expect(body).toEqual({ error: { code: 401, title: 'Unauthorized', message } })
  }
})

test('the database holds only the digest of a token', async () => {
  const secret = await tokenOf(api.url, 'mia', 'shop')
  const { rows } = await api.db.raw<{ rows: { text: string }[] }>('select t::text as text from tokens t')
  expect(rows.length).toBeGreaterThan(0)
  expect(rows.filter(({ text }) => text.includes(secret))).toEqual([])
})

test('a token from a token does not outlive the first', async () => {
  const first = await tokenOf(api.url, 'mia', 'shop')
  const show = async (id: string): Promise<string> => {
    const { body } = await clientOf(api.url, id)('GET /identity/v3/auth/tokens', { headers: { 'X-Subject-Token': id } })
    return token.parse(body).token.expires_at
  }
  const body = {
    auth: { identity: { methods: ['token'], token: { id: first } }, scope: { project: { id: api.projectId } } },
  }
  const again = await api.nobody('POST /identity/v3/auth/tokens', { body })
  expect(again.status).toBe(201)
  expect(await show(again.headers.get('x-subject-token') ?? '')).toBe(await show(first))
})

test('a revoked token and an expired one open nothing', async () => {
  const revoked = await tokenOf(api.url, 'mia', 'shop')
  const self = { headers: { 'X-Subject-Token': revoked } }
  expect((await clientOf(api.url, revoked)('DELETE /identity/v3/auth/tokens', self)).status).toBe(204)
  expect((await clientOf(api.url, revoked)('GET /compute/v2.1/servers')).status).toBe(401)

  const expired = await tokenOf(api.url, 'otto', 'elsewhere')
  await api
    .db('tokens')
    .where({ userId: 'user-otto' })
    .update({ expiresAt: new Date(Date.now() - 1000) })
  const answer = await clientOf(api.url, expired)('GET /compute/v2.1/servers')
  expect(answer.status).toBe(401)
  expect(answer.headers.get('www-authenticate')).toBe(`Keystone uri="${api.url}/identity"`)
})

test('a token in use is refused with the next request once anything behind it is withdrawn, and taken once it is given back', async () => {
  const used = clientOf(api.url, await tokenOf(api.url, 'rita', 'shop'))
  const status = async (): Promise<number> => (await used('GET /compute/v2.1/servers')).status
  const [shop, rita] = [{ id: 'project-shop' }, { id: 'user-rita' }]
  const roles = await api.db('role_assignments').where({ userId: rita.id })
  const doors: readonly (readonly [away: () => Promise<unknown>, back: () => Promise<unknown>])[] = [
    [
      () => api.db('projects').where(shop).update({ enabled: false }),
      () => api.db('projects').where(shop).update({ enabled: true }),
    ],
    [
      () => api.db('users').where(rita).update({ enabled: false }),
      () => api.db('users').where(rita).update({ enabled: true }),
    ],
    [
      () => api.db('role_assignments').where({ userId: rita.id }).delete(),
      () => api.db('role_assignments').insert(roles),
    ],
  ]
  for (const [away, back] of doors) {
    expect(await status()).toBe(200)
    await away()
    expect(await status()).toBe(401)
    await back()
    expect(await status()).toBe(200)
  }
})

test('a role that is taken from a token in use is missed with the next request', async () => {
  const used = clientOf(api.url, await tokenOf(api.url, 'mia', 'shop'))
  const body = { keypair: { name: 'mine' } }
  const reader = await api.db('roles').where({ name: 'reader' }).first('id')
  const mine = { userId: 'user-mia' }
  const [held] = await api.db('role_assignments').where(mine)
  expect((await used('POST /compute/v2.1/os-keypairs', { body })).status).toBe(200)
  await api
    .db('role_assignments')
    .where(mine)
    .update({ roleId: reader?.id ?? '' })
  const server = { server: { name: 'x', imageRef: api.imageId, flavorRef: '1' } }
  expect((await used('POST /compute/v2.1/servers', { body: server })).status).toBe(403)
  await api
    .db('role_assignments')
    .where(mine)
    .update({ roleId: held?.roleId ?? '' })
  expect((await used('POST /compute/v2.1/servers', { body: server })).status).toBe(202)
})

test('a token without a scope finds its projects, and none of their servers', async () => {
  const domain = { name: 'Default' }
  const identity = { methods: ['password'], password: { user: { name: 'mia', domain, password } } }
  const answer = await api.nobody('POST /identity/v3/auth/tokens', { body: { auth: { identity, scope: 'unscoped' } } })
  const client = clientOf(api.url, answer.headers.get('x-subject-token'))
  const { body } = await client('GET /identity/v3/auth/projects')
  expect(
    z
      .object({ projects: z.array(z.object({ name: z.string() })) })
      .parse(body)
      .projects.map(({ name }) => name),
  ).toEqual(['shop'])
  expect((await client('GET /compute/v2.1/servers')).status).toBe(403)
})

test('who is no administrator does not list projects, and sees its own', async () => {
  expect((await api.member('GET /identity/v3/projects')).status).toBe(403)
  expect((await api.member(`GET /identity/v3/projects/${api.projectId}`)).status).toBe(200)
  expect((await api.member('GET /identity/v3/projects/project-elsewhere')).status).toBe(403)
  expect((await api.admin('GET /identity/v3/projects/nope')).status).toBe(404)
})

/** Another identity service says who calls: here that of a second cloud, which speaks Keystone's v3. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { z } from 'zod'
import { Client as Shell } from '../../cli/client.ts'
import { boot, bootBody, clientOf, faultIn, password, startApi, tokenOf, type TestApi } from './fixture.ts'

let keystone: TestApi
let api: TestApi
beforeAll(async () => {
  keystone = await startApi()
  api = await startApi({ identity: { keystone: `${keystone.url}/identity/v3/`, cacheSeconds: 3600 } })
})
afterAll(async () => {
  await api.stop()
  await keystone.stop()
})

const server = z.object({ server: z.looseObject({ user_id: z.string(), tenant_id: z.string() }) })

test('a token of Keystone acts in its project, with its roles', async () => {
  const id = await boot(api)
  const seen = await api.member(`GET /compute/v2.1/servers/${id}`)
  expect(server.parse(seen.body).server).toMatchObject({ user_id: 'user-mia', tenant_id: 'project-shop' })
  expect((await api.reader(`GET /compute/v2.1/servers/${id}`)).status).toBe(200)
  expect((await api.reader(`DELETE /compute/v2.1/servers/${id}`)).status).toBe(403)
  expect((await api.member('GET /compute/v2.1/os-hypervisors')).status).toBe(403)
  expect((await api.admin('GET /compute/v2.1/os-hypervisors')).status).toBe(200)
  expect((await api.admin(`GET /compute/v2.1/servers/${id}`)).status).toBe(200)
})

test('a user and a project that only Keystone knows have key pairs and quotas here', async () => {
  const user = { user: { name: 'nina', password, domain_id: 'default' } }
  const made = z.object({ user: z.object({ id: z.string() }) })
  const { id: userId } = made.parse((await keystone.admin('POST /identity/v3/users', { body: user })).body).user
  const project = { project: { name: 'lab', domain_id: 'default' } }
  const lab = z.object({ project: z.object({ id: z.string() }) })
  const { id } = lab.parse((await keystone.admin('POST /identity/v3/projects', { body: project })).body).project
  const roles = z.object({ roles: z.array(z.object({ id: z.string() })) })
  const [role] = roles.parse((await keystone.admin('GET /identity/v3/roles?name=member')).body).roles
  await keystone.admin(`PUT /identity/v3/projects/${id}/users/${userId}/roles/${role?.id ?? ''}`)
  const limit = { body: { quota_set: { instances: 1 } } }
  expect((await api.admin(`PUT /compute/v2.1/os-quota-sets/${id}`, limit)).status).toBe(200)
  expect((await api.admin('PUT /compute/v2.1/os-quota-sets/nowhere', limit)).status).toBe(400)
  const nina = clientOf(api.url, await tokenOf(keystone.url, 'nina', 'lab'))
  expect((await nina('POST /compute/v2.1/os-keypairs', { body: { keypair: { name: 'k' } } })).status).toBe(200)
  expect((await nina('POST /compute/v2.1/servers', { body: bootBody(api) })).status).toBe(202)
  expect((await nina('POST /compute/v2.1/servers', { body: bootBody(api) })).status).toBe(403)
})

test('a token that Keystone does not know is refused, and the reply says where Keystone is', async () => {
  const answer = await clientOf(api.url, 'none')('GET /compute/v2.1/servers')
  expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([
    401,
    `Keystone uri="${keystone.url}/identity/v3/"`,
  ])
})

test('identity is not served here', async () => {
  const answer = await api.admin('GET /identity/v3/users')
  expect(answer.status).toBe(404)
  expect(faultIn(answer)[1]).toBe(`The identity service of this cloud is at ${keystone.url}/identity/v3/`)
})

test('the word of Keystone holds for a while; then a revocation tells', async () => {
  const revoke = async (cacheSeconds: number): Promise<readonly number[]> => {
    const other = await startApi({ identity: { keystone: `${keystone.url}/identity`, cacheSeconds } })
    const token = await tokenOf(keystone.url, 'mia', 'shop')
    const ask = clientOf(other.url, token)
    const before = (await ask('GET /compute/v2.1/servers')).status
    const own = { 'X-Subject-Token': token }
    await clientOf(keystone.url, token)('DELETE /identity/v3/auth/tokens', { headers: own })
    const after = (await ask('GET /compute/v2.1/servers')).status
    await other.stop()
    return [before, after]
  }
  expect(await revoke(3600)).toEqual([200, 200])
  expect(await revoke(0)).toEqual([200, 401])
})

test('a token that may not even ask what it is, by the access rules of its application credential, is refused', async () => {
  const rule = { service: 'compute', method: 'GET', path: '/v2.1/servers' }
  const wish = { application_credential: { name: 'watcher', access_rules: [rule] } }
  const made = await keystone.member('POST /identity/v3/users/user-mia/application_credentials', { body: wish })
  const secret = z.object({ application_credential: z.object({ id: z.string(), secret: z.string() }) })
  const identity = {
    methods: ['application_credential'],
    application_credential: secret.parse(made.body).application_credential,
  }
  const login = await keystone.nobody('POST /identity/v3/auth/tokens', { body: { auth: { identity } } })
  const watcher = clientOf(api.url, login.headers.get('x-subject-token'))
  expect((await watcher('GET /compute/v2.1/servers')).status).toBe(401)
})

test('while Keystone does not answer, what it said still holds, and nobody new gets in', async () => {
  const gone = await startApi()
  const other = await startApi({ identity: { keystone: `${gone.url}/identity`, cacheSeconds: 3600 } })
  const known = clientOf(other.url, await tokenOf(gone.url, 'mia', 'shop'))
  const late = clientOf(other.url, await tokenOf(gone.url, 'rita', 'shop'))
  expect((await known('GET /compute/v2.1/servers')).status).toBe(200)
  await gone.stop()
  expect((await known('GET /compute/v2.1/servers')).status).toBe(200)
  const answer = await late('GET /compute/v2.1/servers')
  expect([answer.status, faultIn(answer)[0]]).toEqual([503, 'serviceUnavailable'])
  await other.stop()
})

test('the shell finds the cloud by Keystone’s catalogue', async () => {
  const shape = z.object({ services: z.array(z.object({ id: z.string(), type: z.string() })) })
  const { body } = await keystone.admin('GET /identity/v3/services?type=compute')
  const [compute] = shape.parse(body).services
  const listed = z.object({ endpoints: z.array(z.object({ id: z.string(), interface: z.string() })) })
  const { body: all } = await keystone.admin(`GET /identity/v3/endpoints?service_id=${compute?.id ?? ''}`)
  for (const { id } of listed.parse(all).endpoints)
    await keystone.admin(`PATCH /identity/v3/endpoints/${id}`, {
      body: { endpoint: { url: `${api.url}/compute/v2.1` } },
    })
  // Not the path that clouds of ours have: as of a Keystone elsewhere.
  const authUrl = `${keystone.url}/identity/v3/.`
  const shell = await Shell.open({ authUrl, username: 'admin', password, project: 'admin' })
  const seen = await shell.ask('/compute/v2.1/flavors', { shape: z.object({ flavors: z.array(z.unknown()) }) })
  expect(seen.flavors.length).toBeGreaterThan(0)
})

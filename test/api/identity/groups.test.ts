import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { z } from 'zod'
import { clientOf, login, password, startApi, tokenOf, type Answer, type TestApi } from '../fixture.ts'

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

async function roleId(name: string): Promise<string> {
  const { body } = await api.admin(`GET ${v3}/roles?name=${name}`)
  return z.object({ roles: z.array(entity).length(1) }).parse(body).roles[0]?.id ?? ''
}

test('what a group may, its members may, for as long as they are members', async () => {
  const id = idIn(await api.admin(`POST ${v3}/groups`, { body: { group: { name: 'ops', description: 'd' } } }), 'group')
  const role = await roleId('member')
  expect((await api.admin(`PUT ${v3}/projects/project-shop/groups/${id}/roles/${role}`)).status).toBe(204)
  const member = `${v3}/groups/${id}/users/user-otto`
  expect((await api.admin(`GET ${member}`)).status).toBe(404)
  const enter = async () => await api.nobody(`POST ${v3}/auth/tokens`, { body: login('otto', 'shop') })
  expect((await enter()).status).toBe(401)
  expect((await api.admin(`PUT ${member}`)).status).toBe(204)
  expect((await api.admin(`HEAD ${member}`)).status).toBe(204)
  const client = clientOf(api.url, (await enter()).headers.get('x-subject-token'))
  expect((await client('GET /compute/v2.1/servers')).status).toBe(200)
  expect(namesIn(await api.admin(`GET ${v3}/groups/${id}/users`), 'users')).toEqual(['otto'])
  expect(namesIn(await api.stranger(`GET ${v3}/users/user-otto/groups`), 'groups')).toEqual(['ops'])
  expect((await api.admin(`DELETE ${member}`)).status).toBe(204)
  expect((await client('GET /compute/v2.1/servers')).status).toBe(401)
  const renamed = await api.admin(`PATCH ${v3}/groups/${id}`, { body: { group: { name: 'crew' } } })
  expect(renamed.body).toMatchObject({ group: { id, name: 'crew', description: 'd', domain_id: 'default' } })
  expect((await api.member(`GET ${v3}/groups`)).status).toBe(403)
  expect((await api.admin(`DELETE ${v3}/groups/${id}`)).status).toBe(204)
  expect((await api.admin(`GET ${v3}/groups/${id}`)).status).toBe(404)
})

test('a role that implies another gives both, and stops when it is told to', async () => {
  const boss = idIn(await api.admin(`POST ${v3}/roles`, { body: { role: { name: 'boss' } } }), 'role')
  const member = await roleId('member')
  const pair = `${v3}/roles/${boss}/implies/${member}`
  expect((await api.admin(`GET ${pair}`)).status).toBe(404)
  expect((await api.admin(`PUT ${pair}`)).body).toMatchObject({
    role_inference: { prior_role: { name: 'boss' }, implies: { name: 'member' } },
  })
  expect((await api.admin(`HEAD ${pair}`)).status).toBe(204)
  await api.admin(`PUT ${v3}/projects/project-elsewhere/users/user-mia/roles/${boss}`)
  const client = clientOf(api.url, await tokenOf(api.url, 'mia', 'elsewhere'))
  expect((await client('POST /compute/v2.1/os-server-groups', { body: {} })).status).toBe(400)
  const listed = await api.admin(`GET ${v3}/roles/${boss}/implies`)
  expect(listed.body).toMatchObject({ role_inference: { implies: [{ name: 'member' }] } })
  expect((await api.admin(`GET ${v3}/role_inferences`)).body).toMatchObject({ role_inferences: expect.any(Array) })
  expect((await api.admin(`DELETE ${pair}`)).status).toBe(204)
  expect((await client('POST /compute/v2.1/os-server-groups', { body: {} })).status).toBe(403)
  expect((await api.admin(`PUT ${v3}/roles/${member}/implies/${await roleId('admin')}`)).status).toBe(403)
})

test('a project is tagged', async () => {
  const tags = `${v3}/projects/project-shop/tags`
  expect((await api.admin(`PUT ${tags}`, { body: { tags: ['blue', 'red'] } })).body).toMatchObject({
    tags: ['blue', 'red'],
  })
  expect((await api.admin(`PUT ${tags}/green`)).status).toBe(201)
  expect((await api.admin(`GET ${tags}/green`)).status).toBe(204)
  expect((await api.admin(`DELETE ${tags}/red`)).status).toBe(204)
  expect((await api.admin(`GET ${tags}/red`)).status).toBe(404)
  expect((await api.admin(`GET ${tags}`)).body).toMatchObject({ tags: ['blue', 'green'] })
  expect((await api.admin(`PUT ${tags}/a,b`)).status).toBe(400)
  expect((await api.admin(`DELETE ${tags}`)).status).toBe(204)
  expect((await api.member(`PUT ${tags}/mine`)).status).toBe(403)
})

test('a user changes its own password with the old one, and its tokens end', async () => {
  const change = (from: string, to: string) =>
    api.nobody(`POST ${v3}/users/user-rita/password`, { body: { user: { password: to, original_password: from } } })
  expect((await change('not it', 'new secret')).status).toBe(401)
  expect((await change(password, password)).status).toBe(400)
  expect((await api.reader('GET /compute/v2.1/servers')).status).toBe(200)
  expect((await change(password, 'new secret')).status).toBe(204)
  expect((await api.reader('GET /compute/v2.1/servers')).status).toBe(401)
  expect((await api.nobody(`POST ${v3}/auth/tokens`, { body: login('rita', 'shop') })).status).toBe(401)
})

test('a user is told where it may go', async () => {
  expect((await api.member(`GET ${v3}/auth/domains`)).body).toMatchObject({ domains: [] })
  expect((await api.member(`GET ${v3}/auth/system`)).body).toMatchObject({ system: [] })
  expect((await api.admin(`GET ${v3}/auth/system`)).body).toMatchObject({ system: expect.any(Array) })
})

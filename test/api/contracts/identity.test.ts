/** Every route of Identity v3 is asked, and its answer judged. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { z } from 'zod'
import { lowest } from '../../../api/microversion.ts'
import { clientOf, login, password, startApi, tokenOf, type TestApi } from '../fixture.ts'
import { identity } from './identity.ts'
import { each, liveOn, make, type Kind } from './life.ts'
import { unseen, walker } from './walk.ts'

let api: TestApi
beforeAll(async () => {
  api = await startApi()
})
afterAll(async () => {
  await api.stop()
})

const at = '/identity/v3'
const ask = walker(lowest)
const kind = (path: string, one: string): Kind => ({ client: api.admin, path: `${at}/${path}`, one })
const removed = (path: string): Promise<unknown> => ask(api.admin, `DELETE ${at}/${path}`)
const named = { wish: { name: 'walked' }, change: ['PATCH', { description: 'further' }] } as const

test('tokens are issued, looked at, and revoked', async () => {
  await each(ask, api.nobody, ['GET /identity/', `GET ${at}`, `GET ${at}/`])
  await ask(api.nobody, `POST ${at}/auth/tokens`, { body: login('mia', 'shop') })
  const subject = { headers: { 'X-Subject-Token': await tokenOf(api.url, 'mia', 'shop') } }
  for (const method of ['HEAD', 'GET', 'DELETE']) await ask(api.admin, `${method} ${at}/auth/tokens`, subject)
  const places = ['projects', 'domains', 'system', 'catalog']
  await each(
    ask,
    api.admin,
    places.map((place) => `GET ${at}/auth/${place}`),
  )
})

test('domains, projects with their tags, regions, services and endpoints live and go', async () => {
  const domain = await liveOn(ask, kind('domains', 'domain'), named)
  const project = await liveOn(ask, kind('projects', 'project'), named)
  const tags = `${at}/projects/${project}/tags`
  await ask(api.admin, `PUT ${tags}`, { body: { tags: ['red', 'green'] } })
  const one = ['PUT', 'GET', 'HEAD', 'DELETE'].map((method) => `${method} ${tags}/blue`)
  await each(ask, api.admin, [`GET ${tags}`, ...one, `DELETE ${tags}`])
  const description = ['PATCH', { description: 'further' }] as const
  const region = await liveOn(ask, kind('regions', 'region'), { wish: { id: 'north' }, change: description })
  const service = await liveOn(ask, kind('services', 'service'), { wish: { type: 'dns' }, change: description })
  const place = { service_id: service, interface: 'public', url: 'http://192.0.2.1/', region_id: region }
  const moved = ['PATCH', { url: 'http://192.0.2.2/' }] as const
  const endpoint = await liveOn(ask, kind('endpoints', 'endpoint'), { wish: place, change: moved })
  await ask(api.admin, `PATCH ${at}/domains/${domain}`, { body: { domain: { enabled: false } } })
  for (const path of [`endpoints/${endpoint}`, `services/${service}`, `regions/${region}`]) await removed(path)
  await removed(`projects/${project}`)
  await removed(`domains/${domain}`)
})

test('users, groups and application credentials live and go', async () => {
  const wish = { name: 'walker', password, default_project_id: api.projectId }
  const user = await liveOn(ask, kind('users', 'user'), { wish, change: ['PATCH', { email: 'w@example.org' }] })
  const group = await liveOn(ask, kind('groups', 'group'), named)
  const member = `${at}/groups/${group}/users/${user}`
  await each(ask, api.admin, [`PUT ${member}`, `GET ${member}`, `HEAD ${member}`, `GET ${at}/groups/${group}/users`])
  await each(ask, api.admin, [`GET ${at}/users/${user}/groups`, `GET ${at}/users/${user}/projects`])
  await ask(api.admin, `DELETE ${member}`)
  const change = { user: { original_password: password, password: 'another one' } }
  await ask(api.nobody, `POST ${at}/users/${user}/password`, { body: change })
  await removed(`groups/${group}`)
  await removed(`users/${user}`)
})

const rules = z.object({ access_rules: z.array(z.object({ id: z.string() })) })
test('an application credential with access rules lives and goes', async () => {
  const mia = clientOf(api.url, await tokenOf(api.url, 'mia', 'shop'))
  const own = `${at}/users/user-mia`
  const wish = { name: 'robot', access_rules: [{ service: 'compute', method: 'GET', path: '/v2.1/servers' }] }
  const credentials = { client: mia, path: `${own}/application_credentials`, one: 'application_credential' }
  const id = await liveOn(ask, credentials, { wish, change: null })
  const [rule] = rules.parse((await ask(mia, `GET ${own}/access_rules`)).body).access_rules
  await ask(mia, `GET ${own}/access_rules/${rule?.id ?? ''}`)
  await ask(mia, `DELETE ${own}/application_credentials/${id}`)
})

test('roles imply others', async () => {
  const role = await liveOn(ask, kind('roles', 'role'), named)
  const other = await make(ask, kind('roles', 'role'), { name: 'implied' })
  const pair = `${at}/roles/${role}/implies/${other}`
  await each(ask, api.admin, [`PUT ${pair}`, `GET ${pair}`, `HEAD ${pair}`, `GET ${at}/roles/${role}/implies`])
  await each(ask, api.admin, [`GET ${at}/role_inferences`, `GET ${at}/role_assignments`, `DELETE ${pair}`])
  await removed(`roles/${role}`)
})

test('users and groups have roles in projects, domains and the system, and in what lies below', async () => {
  const role = await make(ask, kind('roles', 'role'), { name: 'granted' })
  const group = await make(ask, kind('groups', 'group'), { name: 'granted' })
  const places = [`projects/${api.projectId}`, 'domains/default', 'system']
  const actors = ['users/user-rita', `groups/${group}`]
  const corners = places.flatMap((place) => actors.map((actor) => `${place}/${actor}/roles`))
  const inherited = corners.filter((corner) => !corner.startsWith('system')).map((corner) => `OS-INHERIT/${corner}`)
  for (const corner of [...corners, ...inherited]) {
    const suffix = corner.startsWith('OS-INHERIT') ? '/inherited_to_projects' : ''
    const grant = `${at}/${corner}/${role}${suffix}`
    const looks = [`GET ${grant}`, `HEAD ${grant}`, `GET ${at}/${corner}${suffix}`]
    await each(ask, api.admin, [`PUT ${grant}`, ...looks, `DELETE ${grant}`])
  }
})

test('no route was left out', () => {
  expect(unseen(api.book, identity)).toEqual([])
})

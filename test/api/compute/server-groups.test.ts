import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { z } from 'zod'
import { setQuota } from '../../../db/quotas.ts'
import { bootBody, startApi, type Answer, type TestApi } from '../fixture.ts'

let api: TestApi
beforeAll(async () => {
  api = await startApi()
})
afterAll(async () => {
  await api.stop()
})

const path = '/compute/v2.1/os-server-groups'
const first = z.strictObject({
  id: z.uuid(),
  name: z.string(),
  members: z.array(z.uuid()),
  policies: z.array(z.string()).length(1),
  metadata: z.strictObject({}),
})
const owned = first.extend({ project_id: z.string(), user_id: z.string() })
const ruled = owned
  .omit({ policies: true, metadata: true })
  .extend({ policy: z.string(), rules: z.strictObject({ max_server_per_host: z.int().optional() }) })

const listed = (policy: string) => ({ server_group: { name: 'g', policies: [policy] } })
const made = z.object({ server_group: z.object({ id: z.uuid() }) })
const idIn = (answer: Answer): string => made.parse(answer.body).server_group.id

test.each([
  ['2.1', first, listed('affinity')],
  ['2.13', owned, listed('anti-affinity')],
  ['2.15', owned, listed('soft-affinity')],
  ['2.64', ruled, { server_group: { name: 'g', policy: 'anti-affinity', rules: { max_server_per_host: 3 } } }],
] as const)('server groups at %s', async (version, schema, body) => {
  const created = await api.member(`POST ${path}`, { version, body })
  expect(created.status).toBe(200)
  const view = z.strictObject({ server_group: schema }).parse(created.body)
  const { id } = view.server_group
  expect((await api.member(`GET ${path}/${id}`, { version })).body).toEqual(view)
  const all = z
    .strictObject({ server_groups: z.array(schema) })
    .parse((await api.member(`GET ${path}`, { version })).body)
  expect(all.server_groups).toContainEqual(view.server_group)
  expect((await api.stranger(`GET ${path}/${id}`)).status).toBe(404)
  const removed = await api.member(`DELETE ${path}/${id}`)
  expect([removed.status, removed.body]).toEqual([204, undefined])
  expect((await api.member(`GET ${path}/${id}`)).status).toBe(404)
})

test.each([
  ['a soft policy before 2.15', '2.14', listed('soft-affinity')],
  ['two policies', '2.1', { server_group: { name: 'g', policies: ['affinity', 'anti-affinity'] } }],
  ['no name', '2.1', { server_group: { policies: ['affinity'] } }],
  ['an unknown policy', '2.64', { server_group: { name: 'g', policy: 'near' } }],
  ['a list of policies from 2.64', '2.64', listed('affinity')],
  [
    'rules of another policy',
    '2.64',
    { server_group: { name: 'g', policy: 'affinity', rules: { max_server_per_host: 2 } } },
  ],
])('%s is bad input', async (_what, version, body) => {
  expect((await api.member(`POST ${path}`, { version, body })).status).toBe(400)
})

test('a group lists its servers, a server its group; deleting the group lets the servers go', async () => {
  const id = idIn(await api.member(`POST ${path}`, { body: listed('affinity') }))
  const { server } = z.object({ server: z.unknown() }).parse(bootBody(api))
  const hinted = (group: string) =>
    api.member('POST /compute/v2.1/servers', { body: { server, 'OS-SCH-HNT:scheduler_hints': { group } } })
  const booted = z.object({ server: z.object({ id: z.uuid() }) }).parse((await hinted(id)).body).server.id
  expect((await api.member(`GET ${path}/${id}`)).body).toMatchObject({ server_group: { members: [booted] } })
  const shown = () => api.member(`GET /compute/v2.1/servers/${booted}`, { version: '2.71' })
  expect((await shown()).body).toMatchObject({ server: { server_groups: [id] } })
  expect((await hinted(randomUUID())).status).toBe(400)
  expect((await hinted('near')).status).toBe(400)
  await setQuota(api.db, api.projectId, 'server_group_members', 1)
  expect((await hinted(id)).status).toBe(403)
  await api.member(`DELETE ${path}/${id}`)
  expect((await shown()).body).toMatchObject({ server: { server_groups: [] } })
})

test('groups are counted against the quota, cut into pages, and seen by administrators in all projects', async () => {
  await setQuota(api.db, 'project-elsewhere', 'server_groups', 2)
  const make = () => api.stranger(`POST ${path}`, { body: listed('affinity') })
  const ids = [idIn(await make()), idIn(await make())]
  expect((await make()).status).toBe(403)
  const list = z.object({ server_groups: z.array(z.object({ id: z.uuid() })) })
  const seen = async (client: TestApi['admin'], query: string) =>
    list.parse((await client(`GET ${path}?${query}`)).body).server_groups.map((one) => one.id)
  expect(await seen(api.stranger, 'limit=1')).toEqual([ids[0]])
  expect(await seen(api.stranger, 'limit=5&offset=1')).toEqual([ids[1]])
  expect(await seen(api.admin, 'all_projects=true')).toEqual(expect.arrayContaining(ids))
  expect(await seen(api.admin, '')).toEqual([])
  expect((await api.reader(`POST ${path}`, { body: listed('affinity') })).status).toBe(403)
})

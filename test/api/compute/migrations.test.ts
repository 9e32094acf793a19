import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { z } from 'zod'
import { claim } from '../../../db/hosts.ts'
import { addHost, boot, place, startApi, type TestApi } from '../fixture.ts'

let api: TestApi
let ids: readonly string[]
beforeAll(async () => {
  api = await startApi()
  await addHost(api.db, 'host-1')
  ids = [await boot(api), await boot(api)]
  for (const id of ids) {
    await place(api.db, id)
    await api.db.transaction((trx) =>
      claim(trx, { serverId: id, host: 'host-1', vcpus: 1, memoryMiB: 128, diskGiB: 1 }),
    )
    const resize = await api.member(`POST /compute/v2.1/servers/${id}/action`, { body: { resize: { flavorRef: '2' } } })
    expect(resize.status).toBe(202)
  }
})
afterAll(async () => {
  await api.stop()
})

const time = z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/)
const first = z.strictObject({
  id: z.int(),
  instance_uuid: z.uuid(),
  status: z.literal('migrating'),
  source_compute: z.literal('host-1'),
  source_node: z.literal('host-1'),
  dest_compute: z.literal('host-1'),
  dest_node: z.literal('host-1'),
  dest_host: z.null(),
  old_instance_type_id: z.literal(1),
  new_instance_type_id: z.literal(2),
  created_at: time,
  updated_at: time,
})
const typed = first.extend({ migration_type: z.literal('resize') })
const paged = typed.extend({ uuid: z.uuid() })
const path = '/compute/v2.1/os-migrations'

test.each([
  ['2.1', first],
  ['2.23', typed],
  ['2.59', paged],
  ['2.80', paged.extend({ user_id: z.literal('user-mia'), project_id: z.literal('project-shop') })],
] as const)('migrations at %s', async (version, schema) => {
  const { migrations } = z
    .strictObject({ migrations: z.array(schema) })
    .parse((await api.admin(`GET ${path}`, { version })).body)
  expect(migrations.map((one) => one.instance_uuid)).toEqual(ids.toReversed())
})

test.each([
  ['host=host-1', 2],
  ['host=host-2', 0],
  ['source_compute=host-1', 2],
  ['status=migrating', 2],
  ['status=confirmed', 0],
  ['migration_type=resize', 2],
  ['migration_type=evacuation', 0],
  ['hidden=true', 0],
  ['changes-since=2020-01-01T00:00:00Z', 2],
  ['changes-before=2020-01-01T00:00:00Z', 0],
  ['project_id=project-shop', 2],
  ['user_id=nobody', 0],
])('of those that match %s there are %i', async (query, count) => {
  const { body } = await api.admin(`GET ${path}?${query}`, { version: '2.80' })
  expect(z.object({ migrations: z.array(z.unknown()) }).parse(body).migrations).toHaveLength(count)
})

test('they are cut into pages, and asked for by server', async () => {
  const list = z.object({
    migrations: z.array(paged),
    migrations_links: z.array(z.object({ href: z.string() })).optional(),
  })
  const get = async (query: string) => list.parse((await api.admin(`GET ${path}?${query}`, { version: '2.59' })).body)
  const page = await get('limit=1')
  expect(page.migrations.map((one) => one.instance_uuid)).toEqual([ids[1]])
  expect(page.migrations_links).toHaveLength(1)
  const next = await get(`limit=1&marker=${page.migrations[0]?.uuid ?? ''}`)
  expect(next.migrations.map((one) => one.instance_uuid)).toEqual([ids[0]])
  expect((await get(`instance_uuid=${ids[0] ?? ''}`)).migrations).toHaveLength(1)
  expect((await api.admin(`GET ${path}?marker=${randomUUID()}`, { version: '2.59' })).status).toBe(400)
  expect((await api.admin(`GET ${path}?colour=red`, { version: '2.75' })).status).toBe(400)
  expect((await api.member(`GET ${path}`)).status).toBe(403)
})

test('no server moves while it runs, and none is bound to a part of its host', async () => {
  const server = `/compute/v2.1/servers/${ids[0] ?? ''}`
  expect((await api.admin(`GET ${server}/migrations`, { version: '2.23' })).body).toEqual({ migrations: [] })
  expect((await api.member(`GET ${server}/topology`, { version: '2.78' })).body).toEqual({
    nodes: [],
    pagesize_kb: null,
  })
  expect((await api.member(`GET ${server}/topology`, { version: '2.77' })).status).toBe(404)
})

test('what is evacuated runs on its new host as it did, and from 2.95 on waits there to be started', async () => {
  await addHost(api.db, 'host-2')
  await api.db('hosts').where({ name: 'host-1' }).update({ isForcedDown: true })
  const runsThere = async (vmState: 'active' | 'stopped', version: string): Promise<unknown> => {
    const id = await boot(api)
    await place(api.db, id, vmState)
    const evacuate = { body: { evacuate: {} }, version }
    expect((await api.admin(`POST /compute/v2.1/servers/${id}/action`, evacuate)).status).toBe(200)
    return (await api.db('server_migrations').where({ serverId: id }).first())?.wasRunning
  }
  expect(await runsThere('active', '2.94')).toBe(true)
  expect(await runsThere('stopped', '2.94')).toBe(false)
  expect(await runsThere('active', '2.95')).toBe(false)
})

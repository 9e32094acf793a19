import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { z } from 'zod'
import { addHost, boot, faultIn, place, startApi, type TestApi } from '../fixture.ts'

let api: TestApi
beforeAll(async () => {
  api = await startApi()
  for (const name of ['host-1', 'host-2']) await addHost(api.db, name)
})
afterAll(async () => {
  await api.stop()
})

const aggregates = '/compute/v2.1/os-aggregates'
const time = z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/)
const brief = z.strictObject({
  id: z.int(),
  name: z.string(),
  availability_zone: z.string().nullable(),
  created_at: time,
  updated_at: time.nullable(),
  deleted: z.literal(false),
  deleted_at: z.null(),
})
const first = brief.extend({ hosts: z.array(z.string()), metadata: z.record(z.string(), z.string()) })
const one = z.object({ aggregate: z.object({ id: z.int() }) })

let made = 0
async function make(zone: string | null = null): Promise<string> {
  made += 1
  const body = { aggregate: { name: `rack-${made}`, availability_zone: zone } }
  const answer = await api.admin(`POST ${aggregates}`, { body })
  expect(answer.status).toBe(200)
  return `${aggregates}/${one.parse(answer.body).aggregate.id}`
}

const act = (path: string, action: unknown) => api.admin(`POST ${path}/action`, { body: action })
const zones = async (): Promise<unknown> => (await api.member('GET /compute/v2.1/os-availability-zone')).body

test.each([
  ['2.1', brief, first],
  ['2.41', brief.extend({ uuid: z.uuid() }), first.extend({ uuid: z.uuid() })],
] as const)('aggregates at %s', async (version, created, full) => {
  const body = { aggregate: { name: `at ${version}` } }
  const answer = await api.admin(`POST ${aggregates}`, { body, version })
  const { id } = z.strictObject({ aggregate: created }).parse(answer.body).aggregate
  const path = `${aggregates}/${id}`
  z.strictObject({ aggregate: full }).parse((await api.admin(`GET ${path}`, { version })).body)
  z.strictObject({ aggregates: z.array(full) }).parse((await api.admin(`GET ${aggregates}`, { version })).body)
  const renamed = await api.admin(`PUT ${path}`, { version, body: { aggregate: { name: ` called ${version} ` } } })
  expect(z.strictObject({ aggregate: full }).parse(renamed.body).aggregate.name).toBe(`called ${version}`)
  for (const action of [
    { add_host: { host: 'host-1' } },
    { set_metadata: { metadata: { ssd: 'true' } } },
    { remove_host: { host: 'host-1' } },
  ]) {
    const { body: shown } = await api.admin(`POST ${path}/action`, { version, body: action })
    z.strictObject({ aggregate: full }).parse(shown)
  }
  const removed = await api.admin(`DELETE ${path}`)
  expect([removed.status, removed.body]).toEqual([200, undefined])
  expect((await api.admin(`GET ${path}`)).status).toBe(404)
})

test('the hosts of an aggregate are in its zone until they leave it', async () => {
  const path = await make('east')
  const server = await boot(api)
  await place(api.db, server)
  expect((await act(path, { add_host: { host: 'host-1' } })).body).toMatchObject({
    aggregate: { hosts: ['host-1'], availability_zone: 'east', metadata: { availability_zone: 'east' } },
  })
  expect(await zones()).toMatchObject({ availabilityZoneInfo: [{ zoneName: 'east' }, { zoneName: 'nova' }] })
  expect((await api.member(`GET /compute/v2.1/servers/${server}`)).body).toMatchObject({
    server: { 'OS-EXT-AZ:availability_zone': 'east' },
  })
  const refused = await api.admin(`PUT ${path}`, { body: { aggregate: { availability_zone: 'west' } } })
  expect([refused.status, faultIn(refused)[1]]).toEqual([
    400,
    `Cannot update aggregate ${path.split('/').at(-1) ?? ''}. Reason: One or more hosts contain instances in this zone.`,
  ])
  expect((await api.admin(`DELETE ${path}`)).status).toBe(400)
  expect((await act(path, { remove_host: { host: 'host-1' } })).status).toBe(200)
  expect(await zones()).toMatchObject({ availabilityZoneInfo: [{ zoneName: 'nova' }] })
})

test('metadata is set and taken away item by item; a zone in it moves the hosts', async () => {
  const path = await make()
  await act(path, { add_host: { host: 'host-2' } })
  const set = (metadata: unknown) => act(path, { set_metadata: { metadata } })
  expect((await set({ a: '1', b: '2' })).status).toBe(200)
  expect((await set({ a: null, availability_zone: 'north' })).body).toMatchObject({
    aggregate: { metadata: { b: '2', availability_zone: 'north' }, availability_zone: 'north' },
  })
  expect(await zones()).toMatchObject({ availabilityZoneInfo: [{ zoneName: 'north' }, { zoneName: 'nova' }] })
  expect((await set({ availability_zone: '' })).status).toBe(400)
  expect((await set({ c: 5 })).status).toBe(400)
  const other = await make('south')
  expect((await act(other, { add_host: { host: 'host-2' } })).status).toBe(409)
  await act(path, { remove_host: { host: 'host-2' } })
})

test('what does not fit is refused', async () => {
  const path = await make()
  const body = { aggregate: { name: `rack-${made}` } }
  expect((await api.admin(`POST ${aggregates}`, { body })).status).toBe(409)
  expect((await api.admin(`PUT ${await make()}`, { body })).status).toBe(409)
  for (const aggregate of [{ name: '' }, { name: 'x'.repeat(256) }, { name: 'a', availability_zone: 'b:c' }, {}])
    expect((await api.admin(`POST ${aggregates}`, { body: { aggregate } })).status).toBe(400)
  expect((await api.admin(`PUT ${path}`, { body: { aggregate: {} } })).status).toBe(400)
  expect((await act(path, { add_host: { host: 'nowhere' } })).status).toBe(404)
  expect((await act(path, { remove_host: { host: 'nowhere' } })).status).toBe(404)
  expect((await act(path, { add_host: { host: 'host-1' } })).status).toBe(200)
  expect((await act(path, { add_host: { host: 'host-1' } })).status).toBe(409)
  expect((await act(path, { bogus: {} })).status).toBe(400)
  for (const id of ['-1', '9999'])
    for (const method of ['GET', 'DELETE']) expect((await api.admin(`${method} ${aggregates}/${id}`)).status).toBe(404)
  expect((await api.admin(`GET ${aggregates}/x`)).status).toBe(400)
})

test('aggregates are the administrators’', async () => {
  const path = await make()
  for (const request of [`GET ${aggregates}`, `GET ${path}`, `DELETE ${path}`])
    expect((await api.member(request)).status).toBe(403)
  for (const request of [`POST ${aggregates}`, `PUT ${path}`, `POST ${path}/action`])
    expect((await api.member(request, { body: { aggregate: { name: 'mine' } } })).status).toBe(403)
})

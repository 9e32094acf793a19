/** The scheduler's books, as placement shows them. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { z } from 'zod'
import { addHost, boot, startApi, type Answer, type TestApi } from '../fixture.ts'
import { placement } from './placement.ts'
import { unseen } from './walk.ts'

let api: TestApi
let hostId: string
let serverId: string
beforeAll(async () => {
  api = await startApi()
  await addHost(api.db, 'host-1')
  await addHost(api.db, 'host-2')
  await api
    .db('hosts')
    .where({ name: 'host-1' })
    .update({ setTraits: ['CUSTOM_FAST'] })
  serverId = await boot(api)
  await api.db('allocations').insert({ serverId, host: 'host-1', vcpus: 1, memoryMiB: 128, diskGiB: 1 })
  hostId = (await api.db('hosts').where({ name: 'host-1' }).first())?.id ?? ''
})
afterAll(async () => {
  await api.stop()
})

async function look(path: string, version = '1.39'): Promise<Answer> {
  return await api.admin(`GET /placement${path}`, { headers: { 'OpenStack-API-Version': `placement ${version}` } })
}

async function told(path: string, version?: string): Promise<unknown> {
  const { status, body } = await look(path, version)
  expect([path, status]).toEqual([path, 200])
  return body
}

test('a host is a provider of what it has, with what is promised of it', async () => {
  expect(await told('/resource_providers?name=host-1')).toMatchObject({
    resource_providers: [{ uuid: hostId, name: 'host-1', root_provider_uuid: hostId, parent_provider_uuid: null }],
  })
  const path = `/resource_providers/${hostId}`
  expect(await told(path, '1.0')).not.toHaveProperty('root_provider_uuid')
  const memory = { total: 8192, reserved: 512, allocation_ratio: 1, min_unit: 1, max_unit: 8192, step_size: 1 }
  expect(await told(`${path}/inventories`)).toMatchObject({ inventories: { MEMORY_MB: memory } })
  expect(await told(`${path}/inventories/MEMORY_MB`)).toMatchObject(memory)
  expect(await told(`${path}/usages`)).toMatchObject({ usages: { VCPU: 1, MEMORY_MB: 128, DISK_GB: 1 } })
  expect(await told(`${path}/traits`)).toMatchObject({ traits: ['CUSTOM_FAST'] })
  const resources = { VCPU: 1, MEMORY_MB: 128, DISK_GB: 1 }
  expect(await told(`${path}/allocations`)).toMatchObject({ allocations: { [serverId]: { resources } } })
  expect((await look(`/resource_providers/${serverId}`)).status).toBe(404)
})

test('a server takes its size of its host, and counts for its project', async () => {
  const resources = { VCPU: 1, MEMORY_MB: 128, DISK_GB: 1 }
  expect(await told(`/allocations/${serverId}`)).toMatchObject({
    allocations: { [hostId]: { resources } },
    project_id: api.projectId,
    user_id: 'user-mia',
    consumer_type: 'INSTANCE',
  })
  expect(await told(`/allocations/${hostId}`)).toEqual({ allocations: {} })
  expect(await told(`/usages?project_id=${api.projectId}`)).toEqual({
    usages: { INSTANCE: { consumer_count: 1, ...resources } },
  })
  expect(await told(`/usages?project_id=${api.projectId}`, '1.9')).toEqual({ usages: resources })
})

test('hosts with room for what is asked are its candidates, of a trait and of an aggregate if need be', async () => {
  const summaries = z.object({ provider_summaries: z.record(z.string(), z.unknown()) })
  const count = async (query: string): Promise<number> =>
    Object.keys(summaries.parse(await told(`/allocation_candidates?${query}`)).provider_summaries).length
  expect(await count('resources=VCPU:1,MEMORY_MB:7680')).toBe(1)
  expect(await count('resources=VCPU:1,MEMORY_MB:7000')).toBe(2)
  expect(await count('resources=VCPU:1&limit=1')).toBe(1)
  expect(await count('resources=VCPU:1&required=CUSTOM_FAST')).toBe(1)
  expect(await count('resources=VCPU:1&required=!CUSTOM_FAST')).toBe(1)
  await told('/allocation_candidates?resources=VCPU:1', '1.10')
  const { body } = await api.admin('POST /compute/v2.1/os-aggregates', {
    body: { aggregate: { name: 'row' } },
    version: '2.41',
  })
  const { aggregate } = z.object({ aggregate: z.object({ id: z.number(), uuid: z.uuid() }) }).parse(body)
  await api.admin(`POST /compute/v2.1/os-aggregates/${aggregate.id}/action`, { body: { add_host: { host: 'host-1' } } })
  expect(await told(`/resource_providers/${hostId}/aggregates`)).toMatchObject({ aggregates: [aggregate.uuid] })
  expect(await count(`resources=VCPU:1&member_of=in:${aggregate.uuid}`)).toBe(1)
})

test('classes and traits are those that hosts have', async () => {
  await told('/')
  expect(await told('/resource_classes')).toMatchObject({
    resource_classes: [{ name: 'VCPU' }, { name: 'MEMORY_MB' }, { name: 'DISK_GB' }],
  })
  await told('/resource_classes/VCPU')
  expect((await look('/resource_classes/GPU')).status).toBe(404)
  expect(await told('/traits?name=startswith:CUSTOM_F')).toEqual({ traits: ['CUSTOM_FAST'] })
  expect(await told('/traits?name=in:CUSTOM_SLOW')).toEqual({ traits: [] })
  expect((await look('/traits/CUSTOM_FAST')).status).toBe(204)
  expect((await look('/traits/CUSTOM_SLOW')).status).toBe(404)
})

test('what is not understood is refused, and the books are the administrators’', async () => {
  for (const query of ['resources=VCPU', 'resources=GPU:1', 'resources=VCPU:0', '', 'resources=VCPU:1&colour=red'])
    expect([query, (await look(`/allocation_candidates?${query}`)).status]).toEqual([query, 400])
  expect((await look('/traits', '1.0')).status).toBe(404)
  expect((await look('/resource_providers', '1.40')).status).toBe(406)
  expect((await look('/resource_providers', 'x')).status).toBe(400)
  expect((await look('/resource_providers', 'latest')).headers.get('openstack-api-version')).toBe('placement 1.39')
  expect((await api.member('GET /placement/resource_providers')).status).toBe(403)
  expect((await api.admin('POST /placement/resource_providers', { body: {} })).status).toBe(405)
})

test('no route was left out', () => {
  expect(unseen(api.book, placement)).toEqual([])
})

import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { z } from 'zod'
import { addHost, boot, faultIn, place, startApi, type TestApi } from '../fixture.ts'

let api: TestApi
beforeAll(async () => {
  api = await startApi()
  await addHost(api.db, 'host-1')
})
afterAll(async () => {
  await api.stop()
})

test('a microversion is negotiated by either header and said in the reply', async () => {
  const ask = (headers: Readonly<Record<string, string>>) => api.member('GET /compute/v2.1/flavors', { headers })
  const versionIn = async (headers: Readonly<Record<string, string>>): Promise<string | null> =>
    (await ask(headers)).headers.get('openstack-api-version')
  expect(await versionIn({})).toBe('compute 2.1')
  expect(await versionIn({ 'X-OpenStack-Nova-API-Version': '2.5' })).toBe('compute 2.5')
  expect(await versionIn({ 'OpenStack-API-Version': 'placement 1.2, compute 2.60' })).toBe('compute 2.60')
  expect(await versionIn({ 'OpenStack-API-Version': 'compute latest' })).toBe('compute 2.96')
  const beyond = await ask({ 'OpenStack-API-Version': 'compute 2.200' })
  expect([beyond.status, ...faultIn(beyond)]).toEqual([
    406,
    'computeFault',
    'Version 2.200 is not supported by the API. Minimum is 2.1 and maximum is 2.96.',
  ])
  expect((await ask({ 'OpenStack-API-Version': 'compute x' })).status).toBe(400)
})

test('an unknown path is not found, a known one with another method is not allowed', async () => {
  const unknown = await api.member('GET /compute/v2.1/os-nothing')
  expect([unknown.status, ...faultIn(unknown)]).toEqual([404, 'itemNotFound', 'The resource could not be found.'])
  const method = await api.member('PATCH /compute/v2.1/servers')
  expect([method.status, faultIn(method)[0]]).toEqual([405, 'badMethod'])
  expect((await api.member('DELETE /compute/v2.1/servers/')).status).toBe(404)
})

const flavor = z.strictObject({
  id: z.string(),
  name: z.string(),
  ram: z.number(),
  disk: z.number(),
  vcpus: z.number(),
  swap: z.literal(''),
  'OS-FLV-EXT-DATA:ephemeral': z.literal(0),
  'OS-FLV-DISABLED:disabled': z.literal(false),
  'os-flavor-access:is_public': z.boolean(),
  rxtx_factor: z.literal(1),
  links: z.array(z.strictObject({ rel: z.string(), href: z.url() })),
})

test('flavors are shown as Nova shows them, with more at later microversions', async () => {
  const show = async (version: string): Promise<unknown> =>
    z.strictObject({ flavor: z.unknown() }).parse((await api.member('GET /compute/v2.1/flavors/2', { version })).body)
      .flavor
  expect(flavor.parse(await show('2.1'))).toMatchObject({ name: 'm1.tiny', ram: 512 })
  flavor.extend({ description: z.null(), extra_specs: z.record(z.string(), z.string()) }).parse(await show('2.61'))
  expect(await show('2.75')).toMatchObject({ swap: 0 })
})

test('flavors are filtered and cut into pages', async () => {
  const list = z.object({
    flavors: z.array(z.object({ id: z.string() })),
    flavors_links: z.array(z.object({ href: z.url() })).optional(),
  })
  const get = async (query: string) => list.parse((await api.member(`GET /compute/v2.1/flavors${query}`)).body)
  expect((await get('?minRam=4096')).flavors.map(({ id }) => id)).toEqual(['4', '5'])
  const first = await get('?limit=2')
  expect(first.flavors.map(({ id }) => id)).toEqual(['1', '2'])
  expect(first.flavors_links?.[0]?.href).toBe(`${api.url}/compute/v2.1/flavors?limit=2&marker=2`)
  expect((await api.member('GET /compute/v2.1/flavors?marker=none')).status).toBe(400)
  expect((await api.member('GET /compute/v2.1/flavors?minRam=x')).status).toBe(400)
  expect((await api.member('GET /compute/v2.1/flavors/none')).status).toBe(404)
})

test('a private flavor is the administrators’', async () => {
  await api.db('flavors').insert({ id: 'secret', name: 'secret', vcpus: 1, memoryMiB: 64, isPublic: false })
  expect((await api.member('GET /compute/v2.1/flavors/secret')).status).toBe(404)
  expect((await api.admin('GET /compute/v2.1/flavors/secret')).status).toBe(200)
  expect(JSON.stringify((await api.member('GET /compute/v2.1/flavors?is_public=None')).body)).not.toContain('secret')
  expect(JSON.stringify((await api.admin('GET /compute/v2.1/flavors?is_public=None')).body)).toContain('secret')
})

test('what was done to a server is told, newest first, with its events', async () => {
  const id = await boot(api)
  await place(api.db, id)
  const stop = await api.member(`POST /compute/v2.1/servers/${id}/action`, { body: { 'os-stop': null } })
  const requestId = stop.headers.get('x-compute-request-id') ?? ''
  const action = await api.db('server_actions').where({ serverId: id, requestId }).first()
  await api
    .db('server_action_events')
    .insert({ actionId: action?.id ?? 0, event: 'compute_stop_instance', host: 'host-1', result: 'Success' })
  const all = z.strictObject({
    instanceActions: z.array(
      z.strictObject({
        action: z.string(),
        instance_uuid: z.literal(id),
        request_id: z.string(),
        user_id: z.literal('user-mia'),
        project_id: z.literal('project-shop'),
        start_time: z.string().regex(/\.\d{6}$/),
        message: z.null(),
      }),
    ),
  })
  const { instanceActions } = all.parse((await api.member(`GET /compute/v2.1/servers/${id}/os-instance-actions`)).body)
  expect(instanceActions.map(({ action: name }) => name)).toEqual(['stop', 'create'])
  const path = `GET /compute/v2.1/servers/${id}/os-instance-actions/${requestId}`
  expect((await api.admin(path)).body).toMatchObject({
    instanceAction: {
      action: 'stop',
      events: [{ event: 'compute_stop_instance', result: 'Success', traceback: null }],
    },
  })
  expect((await api.member(path)).body).not.toHaveProperty('instanceAction.events')
  expect((await api.member(path, { version: '2.51' })).body).toHaveProperty('instanceAction.events')
  expect((await api.member(`GET /compute/v2.1/servers/${id}/os-instance-actions/999`)).status).toBe(404)
})

test('limits lose at later microversions what is not there any more', async () => {
  const keys = async (version: string): Promise<readonly string[]> => {
    const { body } = await api.member('GET /compute/v2.1/limits', { version })
    const { limits } = z
      .strictObject({
        limits: z.strictObject({ rate: z.array(z.never()), absolute: z.record(z.string(), z.number()) }),
      })
      .parse(body)
    return Object.keys(limits.absolute)
  }
  expect(await keys('2.1')).toEqual(
    expect.arrayContaining(['maxTotalInstances', 'maxSecurityGroups', 'maxPersonality']),
  )
  const late = await keys('2.57')
  for (const gone of ['maxSecurityGroups', 'maxImageMeta', 'maxPersonality']) expect(late).not.toContain(gone)
  expect((await api.member('GET /compute/v2.1/limits?tenant_id=project-elsewhere')).status).toBe(403)
})

test('hosts are the administrators’, zones are everybody’s', async () => {
  expect((await api.member('GET /compute/v2.1/os-hypervisors')).status).toBe(403)
  expect((await api.member('GET /compute/v2.1/os-services')).status).toBe(403)
  const { body } = await api.admin('GET /compute/v2.1/os-hypervisors/detail')
  expect(body).toMatchObject({
    hypervisors: [{ hypervisor_hostname: 'host-1', state: 'up', status: 'enabled', memory_mb: 8192 }],
  })
  expect((await api.member('GET /compute/v2.1/os-availability-zone')).body).toEqual({
    availabilityZoneInfo: [{ zoneName: 'nova', zoneState: { available: true }, hosts: null }],
  })
})

test('versions are told to anybody', async () => {
  const { status, body } = await api.nobody('GET /compute/')
  expect(status).toBe(200)
  expect(body).toMatchObject({ versions: [{ id: 'v2.0' }, { id: 'v2.1', version: '2.96', min_version: '2.1' }] })
  for (const path of ['/compute/v2/', '/compute/v2.1', '/compute/v2.1/', '/networking/', '/placement/', '/identity/v3'])
    expect([path, (await api.nobody(`GET ${path}`)).status]).toEqual([path, 200])
  for (const path of ['/identity', '/image'])
    expect([path, (await api.nobody(`GET ${path}`)).status]).toEqual([path, 300])
})

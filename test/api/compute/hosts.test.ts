import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { z } from 'zod'
import { schedulerLives } from '../../../db/schedulers.ts'
import { enqueue } from '../../../jobs/enqueue.ts'
import { addHost, boot, faultIn, place, startApi, type TestApi } from '../fixture.ts'

let api: TestApi
let server: string
beforeAll(async () => {
  api = await startApi()
  for (const name of ['host-1', 'host-2']) await addHost(api.db, name)
  server = await boot(api, { name: 'web' })
  await place(api.db, server)
})
afterAll(async () => {
  await api.stop()
})

const root = '/compute/v2.1'
const brief = z.strictObject({
  id: z.int(),
  hypervisor_hostname: z.string(),
  state: z.enum(['up', 'down']),
  status: z.enum(['enabled', 'disabled']),
})
const service = z.strictObject({ id: z.int(), host: z.string(), disabled_reason: z.string().nullable() })
const statistics = {
  vcpus: z.int(),
  vcpus_used: z.int(),
  memory_mb: z.int(),
  memory_mb_used: z.int(),
  free_ram_mb: z.int(),
  local_gb: z.int(),
  local_gb_used: z.int(),
  free_disk_gb: z.int(),
  disk_available_least: z.int().nullable(),
  running_vms: z.int(),
  current_workload: z.int(),
}
const every = brief.extend({
  hypervisor_type: z.literal('docker'),
  hypervisor_version: z.int(),
  host_ip: z.ipv4(),
  service,
})
const first = every.extend({ ...statistics, cpu_info: z.string() })
const object = z.record(z.string(), z.unknown())
const identified = { id: z.uuid(), service: service.extend({ id: z.uuid() }) }
const shapes = [
  ['2.1', first],
  ['2.28', first.extend({ cpu_info: object })],
  ['2.33', first.extend({ cpu_info: object })],
  ['2.53', first.extend({ cpu_info: object, ...identified })],
  ['2.75', first.extend({ cpu_info: object, ...identified })],
  ['2.88', every.extend({ uptime: z.string(), ...identified })],
] as const

test.each(shapes)('hypervisors at %s', async (version, shape) => {
  const list = await api.admin(`GET ${root}/os-hypervisors/detail`, { version })
  const { hypervisors } = z.strictObject({ hypervisors: z.array(shape).length(2) }).parse(list.body)
  const id = hypervisors[0]?.id ?? ''
  const shown = await api.admin(`GET ${root}/os-hypervisors/${id}`, { version })
  z.strictObject({ hypervisor: shape }).parse(shown.body)
  const names = await api.admin(`GET ${root}/os-hypervisors`, { version })
  z.strictObject({ hypervisors: z.array(brief.extend({ id: shape.shape.id })) }).parse(names.body)
  expect((await api.member(`GET ${root}/os-hypervisors/${id}`, { version })).status).toBe(403)
})

async function statusOf(path: string, version: string): Promise<number> {
  return (await api.admin(`GET ${root}/os-hypervisors${path}`, { version })).status
}

test('before 2.53 hypervisors are searched by path, later by query', async () => {
  const get = async (path: string, version: string): Promise<unknown> =>
    (await api.admin(`GET ${root}/os-hypervisors${path}`, { version })).body
  const servers = [{ name: 'web', uuid: server }]
  expect(await get('/host-1/search', '2.1')).toMatchObject({ hypervisors: [{ hypervisor_hostname: 'host-1' }] })
  expect(await get('/host/servers', '2.1')).toMatchObject({ hypervisors: [{ servers }, {}] })
  expect(JSON.stringify(await get('/host-2/servers', '2.1'))).not.toContain('servers')
  expect([await statusOf('/none/search', '2.1'), await statusOf('/none/servers', '2.1')]).toEqual([404, 404])
  expect([await statusOf('/host/search', '2.53'), await statusOf('/host/servers', '2.53')]).toEqual([404, 404])
  const query = '?hypervisor_hostname_pattern=host&with_servers=true'
  expect(await get(query, '2.75')).toMatchObject({ hypervisors: [{ servers }, { servers: [] }] })
  expect(await statusOf('?hypervisor_hostname_pattern=none', '2.53')).toBe(404)
  expect(await statusOf('?hypervisor_hostname_pattern=host&limit=1', '2.53')).toBe(400)
  expect(await statusOf('?bogus=1', '2.75')).toBe(400)
})

test('hypervisors come in pages from 2.33 on', async () => {
  const page = z.strictObject({
    hypervisors: z.array(brief),
    hypervisors_links: z.array(z.strictObject({ rel: z.literal('next'), href: z.url() })).optional(),
  })
  const get = async (path: string) => page.parse((await api.admin(`GET ${path}`, { version: '2.33' })).body)
  const { hypervisors, hypervisors_links: links } = await get(`${root}/os-hypervisors?limit=1`)
  const next = await get(links?.[0]?.href.replace(api.url, '') ?? '')
  expect([...hypervisors, ...next.hypervisors].map((host) => host.hypervisor_hostname)).toEqual(['host-1', 'host-2'])
  expect(await statusOf('?marker=99999', '2.33')).toBe(400)
})

test('uptime and statistics have paths of their own until 2.88', async () => {
  const { body } = await api.admin(`GET ${root}/os-hypervisors/statistics`)
  const all = z.strictObject({ hypervisor_statistics: z.strictObject({ count: z.int(), ...statistics }) }).parse(body)
  expect(all.hypervisor_statistics).toMatchObject({ count: 2, vcpus: 8, memory_mb: 16_384 })
  const number = (await api.db('hosts').where({ name: 'host-1' }).first())?.number ?? 0
  const uptime = await api.admin(`GET ${root}/os-hypervisors/${number}/uptime`)
  z.strictObject({ hypervisor: brief.extend({ uptime: z.string().regex(/ up /) }) }).parse(uptime.body)
  expect(await statusOf('/statistics', '2.88')).toBe(404)
  expect([await statusOf('/99999', '2.1'), await statusOf('/x', '2.1'), await statusOf('/x', '2.53')]).toEqual([
    404, 404, 400,
  ])
})

const agent = z.strictObject({
  id: z.int(),
  binary: z.literal('nova-compute'),
  host: z.string(),
  zone: z.literal('nova'),
  status: z.enum(['enabled', 'disabled']),
  state: z.enum(['up', 'down']),
  updated_at: z.string(),
  disabled_reason: z.string().nullable(),
})

test.each([
  ['2.1', agent],
  ['2.11', agent.extend({ forced_down: z.boolean() })],
  ['2.53', agent.extend({ forced_down: z.boolean(), id: z.uuid() })],
] as const)('services at %s', async (version, shape) => {
  const list = async (query: string) =>
    z
      .strictObject({ services: z.array(shape) })
      .parse((await api.admin(`GET ${root}/os-services${query}`, { version })).body).services
  expect((await list('')).map(({ host }) => host)).toEqual(['host-1', 'host-2'])
  expect((await list('?host=host-2&binary=nova-compute')).length).toBe(1)
  expect(await list('?binary=nova-api')).toEqual([])
  expect(await list('?host=none')).toEqual([])
})

test('a scheduler is listed beside the hosts while it lives, forgotten by its id, and cannot be changed', async () => {
  await schedulerLives(api.db, 'control-1')
  const version = '2.53'
  const list = async (query: string) =>
    z
      .strictObject({ services: z.array(z.looseObject({ id: z.uuid(), host: z.string(), state: z.string() })) })
      .parse((await api.admin(`GET ${root}/os-services${query}`, { version })).body).services
  const [scheduler, ...others] = await list('?binary=nova-scheduler')
  expect(others).toEqual([])
  expect(scheduler).toMatchObject({ host: 'control-1', zone: 'internal', status: 'enabled', state: 'up' })
  expect((await list('?host=control-1')).length).toBe(1)
  expect((await api.admin(`GET ${root}/os-hosts?zone=internal`)).body).toEqual({
    hosts: [{ host_name: 'control-1', service: 'scheduler', zone: 'internal' }],
  })
  const path = `${root}/os-services/${scheduler?.id ?? ''}`
  expect((await api.admin(`PUT ${path}`, { version, body: { status: 'disabled' } })).status).toBe(400)
  await api.db('schedulers').update({ heartbeatAt: new Date(Date.now() - 120_000) })
  expect(await list('?binary=nova-scheduler')).toMatchObject([{ state: 'down' }])
  expect((await api.admin(`DELETE ${path}`, { version })).status).toBe(204)
  expect(await list('?binary=nova-scheduler')).toEqual([])
})

test('before 2.53 a service is changed by the name of its host', async () => {
  const put = (action: string, more: object = {}, version = '2.11') =>
    api.admin(`PUT ${root}/os-services/${action}`, {
      version,
      body: { host: 'host-2', binary: 'nova-compute', ...more },
    })
  const said = { host: 'host-2', binary: 'nova-compute' }
  expect((await put('disable')).body).toEqual({ service: { ...said, status: 'disabled' } })
  expect((await put('disable-log-reason', { disabled_reason: 'broken' })).body).toEqual({
    service: { ...said, status: 'disabled', disabled_reason: 'broken' },
  })
  expect((await api.admin(`GET ${root}/os-services?host=host-2`)).body).toMatchObject({
    services: [{ status: 'disabled', disabled_reason: 'broken' }],
  })
  expect((await put('force-down', { forced_down: 'true' })).body).toEqual({ service: { ...said, forced_down: true } })
  expect((await api.admin(`GET ${root}/os-services?host=host-2`)).body).toMatchObject({ services: [{ state: 'down' }] })
  expect((await put('force-down', { forced_down: false })).status).toBe(200)
  expect((await put('enable')).body).toEqual({ service: { ...said, status: 'enabled' } })
  expect((await put('disable-log-reason')).status).toBe(400)
  expect((await put('force-down', { forced_down: true }, '2.10')).status).toBe(400)
  expect((await put('bogus')).status).toBe(404)
  expect((await put('enable', { host: 'none' })).status).toBe(404)
  expect((await put('enable', { binary: 'nova-api' })).status).toBe(400)
})

test('from 2.53 a service is changed, and forgotten, by its id', async () => {
  await addHost(api.db, 'host-3')
  const id = (await api.db('hosts').where({ name: 'host-3' }).first())?.id ?? ''
  const put = (body: object) => api.admin(`PUT ${root}/os-services/${id}`, { version: '2.53', body })
  const changed = await put({ status: 'disabled', disabled_reason: 'away', forced_down: true })
  expect(changed.body).toMatchObject({
    service: { id, status: 'disabled', disabled_reason: 'away', forced_down: true, state: 'down' },
  })
  expect((await put({})).status).toBe(400)
  expect((await put({ status: 'enabled', disabled_reason: 'x' })).status).toBe(400)
  const remove = (of: string) => api.admin(`DELETE ${root}/os-services/${of}`, { version: '2.53' })
  const payload = { serverId: server, requestId: 'req-late' }
  for (const host of ['host-3', 'host-33'])
    await api.db.transaction((trx) => enqueue(trx, 'server.leave', payload, host))
  expect([(await remove(id)).status, (await remove(id)).status, (await remove('x')).status]).toEqual([204, 404, 400])
  const busy = (await api.db('hosts').where({ name: 'host-1' }).first())?.id ?? ''
  expect((await remove(busy)).status).toBe(409)
  const { rows } = await api.db.raw<{ rows: { task: string }[] }>(
    `select task_identifier as task from graphile_worker.jobs where task_identifier like 'host-3%'`,
  )
  expect(rows).toEqual([{ task: 'host-33/server.leave' }])
})

test('hosts, until 2.43, tell what each project takes', async () => {
  const listed = await api.admin(`GET ${root}/os-hosts?zone=`)
  const entry = z.strictObject({ host_name: z.string(), service: z.literal('compute'), zone: z.literal('nova') })
  expect(z.strictObject({ hosts: z.array(entry) }).parse(listed.body).hosts.length).toBe(2)
  expect((await api.admin(`GET ${root}/os-hosts?zone=none`)).body).toEqual({ hosts: [] })
  const use = { host: z.literal('host-1'), project: z.string(), cpu: z.int(), memory_mb: z.int(), disk_gb: z.int() }
  const shape = z.strictObject({ host: z.array(z.strictObject({ resource: z.strictObject(use) })) })
  const { host } = shape.parse((await api.admin(`GET ${root}/os-hosts/host-1`)).body)
  expect(host.map(({ resource }) => resource.project)).toEqual(['(total)', '(used_now)', '(used_max)', 'project-shop'])
  expect(host.at(-1)?.resource).toMatchObject({ cpu: 1, memory_mb: 128, disk_gb: 1 })
  expect((await api.admin(`GET ${root}/os-hosts`, { version: '2.43' })).status).toBe(404)
})

test('a host is enabled and disabled, not switched off', async () => {
  const put = (body: unknown, name = 'host-2') => api.admin(`PUT ${root}/os-hosts/${name}`, { body })
  expect((await put({ status: 'disable' })).body).toEqual({ host: 'host-2', status: 'disabled' })
  expect((await put({ status: 'enable' })).body).toEqual({ host: 'host-2', status: 'enabled' })
  for (const wrong of [{}, { status: 'invalid' }, { maintenance_mode: 'invalid' }, { bogus: 1 }])
    expect((await put(wrong)).status).toBe(400)
  expect((await put({ status: 'enable', maintenance_mode: 'enable' }, 'none')).status).toBe(404)
  expect((await put({ maintenance_mode: 'enable' })).status).toBe(501)
  for (const action of ['startup', 'shutdown', 'reboot']) {
    expect((await api.member(`GET ${root}/os-hosts/host-2/${action}`)).status).toBe(403)
    expect((await api.admin(`GET ${root}/os-hosts/none/${action}`)).status).toBe(404)
    expect(faultIn(await api.admin(`GET ${root}/os-hosts/host-2/${action}`))[0]).toBe('notImplemented')
  }
})

test('zones in detail name their hosts and their agents', async () => {
  const one = z.strictObject({ available: z.boolean(), active: z.boolean(), updated_at: z.string() })
  const zone = z.strictObject({
    zoneName: z.literal('nova'),
    zoneState: z.strictObject({ available: z.literal(true) }),
    hosts: z.record(z.string(), z.strictObject({ 'nova-compute': one })),
  })
  const { body } = await api.admin(`GET ${root}/os-availability-zone/detail`)
  const [only] = z.strictObject({ availabilityZoneInfo: z.array(zone).length(1) }).parse(body).availabilityZoneInfo
  expect(Object.keys(only?.hosts ?? {})).toEqual(['host-1', 'host-2'])
  expect((await api.member(`GET ${root}/os-availability-zone/detail`)).status).toBe(403)
})

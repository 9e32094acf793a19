import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { z } from 'zod'
import { addHost, boot, place, startApi, type TestApi } from '../fixture.ts'

let api: TestApi
let id: string
beforeAll(async () => {
  api = await startApi()
  await addHost(api.db, 'host-1')
  id = await boot(api)
  await place(api.db, id)
})
afterAll(async () => {
  await api.stop()
})

const time = z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/)
const serverUsage = z.strictObject({
  instance_id: z.uuid(),
  name: z.string(),
  tenant_id: z.string(),
  flavor: z.string(),
  vcpus: z.int(),
  memory_mb: z.int(),
  local_gb: z.int(),
  hours: z.number(),
  started_at: time,
  ended_at: time.nullable(),
  state: z.string(),
  uptime: z.int(),
})
const brief = z.strictObject({
  tenant_id: z.string(),
  start: time,
  stop: time,
  total_hours: z.number(),
  total_vcpus_usage: z.number(),
  total_memory_mb_usage: z.number(),
  total_local_gb_usage: z.number(),
})
const full = brief.extend({ server_usages: z.array(serverUsage) })
const usage = '/compute/v2.1/os-simple-tenant-usage'
const one = z.object({ tenant_usage: full, tenant_usage_links: z.array(z.unknown()).optional() })

test('a project’s use is the hours of its servers within the window, times their size', async () => {
  await api
    .db('servers')
    .where({ id })
    .update({ launchedAt: new Date('2026-03-01T00:00:00Z'), terminatedAt: new Date('2026-03-02T12:00:00Z') })
  const window = 'start=2026-03-02T00:00:00&end=2026-03-03T00:00:00.000000'
  const { body } = await api.member(`GET ${usage}/${api.projectId}?${window}`)
  const { tenant_usage: used } = one.parse(body)
  expect(used).toMatchObject({
    tenant_id: api.projectId,
    start: '2026-03-02T00:00:00.000000',
    stop: '2026-03-03T00:00:00.000000',
    total_hours: 12,
    total_vcpus_usage: 12,
    total_memory_mb_usage: 12 * 128,
    total_local_gb_usage: 12,
    server_usages: [
      { instance_id: id, hours: 12, state: 'terminated', uptime: 36 * 3600, ended_at: '2026-03-02T12:00:00.000000' },
    ],
  })
  const outside = await api.member(`GET ${usage}/${api.projectId}?start=2026-04-01T00:00:00&end=2026-04-02T00:00:00`)
  expect(outside.body).toEqual({ tenant_usage: {} })
})

test('an administrator sees the use of every project, in detail when asked', async () => {
  await api.db('servers').where({ id }).update({ terminatedAt: null, launchedAt: new Date() })
  const list = z.strictObject({ tenant_usages: z.array(brief) })
  expect(list.parse((await api.admin(`GET ${usage}`)).body).tenant_usages).toHaveLength(1)
  const detailed = z.strictObject({ tenant_usages: z.array(full) })
  const { body } = await api.admin(`GET ${usage}?detailed=1`)
  expect(detailed.parse(body).tenant_usages[0]?.server_usages[0]).toMatchObject({ state: 'active', ended_at: null })
})

test('from 2.40 on use is cut into pages of servers', async () => {
  const other = await boot(api)
  await place(api.db, other)
  const ids = [id, other].toSorted()
  const path = `${usage}/${api.projectId}`
  const first = one.parse((await api.member(`GET ${path}?limit=1`, { version: '2.40' })).body)
  expect(first.tenant_usage.server_usages.map((server) => server.instance_id)).toEqual([ids[0]])
  expect(first.tenant_usage_links).toEqual([{ rel: 'next', href: expect.stringContaining(`marker=${ids[0] ?? ''}`) }])
  const next = await api.member(`GET ${path}?limit=5&marker=${ids[0] ?? ''}`, { version: '2.40' })
  expect(one.parse(next.body).tenant_usage.server_usages.map((server) => server.instance_id)).toEqual([ids[1]])
  expect((await api.member(`GET ${path}?marker=${randomUUID()}`, { version: '2.40' })).status).toBe(400)
})

test('a window that ends before it begins, no time, and another’s project are refused', async () => {
  const window = 'start=2026-03-02T00:00:00&end=2026-03-01T00:00:00'
  expect((await api.admin(`GET ${usage}/${api.projectId}?${window}`)).status).toBe(400)
  expect((await api.admin(`GET ${usage}?start=yesterday`)).status).toBe(400)
  expect((await api.member(`GET ${usage}`)).status).toBe(403)
  expect((await api.stranger(`GET ${usage}/${api.projectId}`)).status).toBe(403)
  expect((await api.admin(`GET ${usage}/`)).status).toBe(404)
})

const auditLog = z.strictObject({
  period_beginning: z.string(),
  period_ending: z.string(),
  num_hosts: z.int(),
  num_hosts_done: z.int(),
  num_hosts_running: z.int(),
  num_hosts_not_run: z.int(),
  hosts_not_run: z.array(z.string()),
  total_instances: z.int(),
  total_errors: z.int(),
  overall_status: z.string(),
  log: z.strictObject({}),
})

test('the audit log is about the last whole month, and says which hosts told nothing', async () => {
  const path = '/compute/v2.1/os-instance_usage_audit_log'
  z.strictObject({ instance_usage_audit_logs: auditLog }).parse((await api.admin(`GET ${path}`)).body)
  const { body } = await api.admin(`GET ${path}/2026-01-15%2010:00:00`)
  expect(z.strictObject({ instance_usage_audit_log: auditLog }).parse(body).instance_usage_audit_log).toMatchObject({
    period_beginning: '2025-12-01 00:00:00',
    period_ending: '2026-01-01 00:00:00',
    hosts_not_run: ['host-1'],
  })
  expect((await api.admin(`GET ${path}/now`)).status).toBe(400)
  expect((await api.member(`GET ${path}`)).status).toBe(403)
})

test('events of ports are taken for servers that stand on a host', async () => {
  const path = '/compute/v2.1/os-server-external-events'
  const event = (server: string, name = 'network-changed') => ({ name, server_uuid: server })
  const post = (...events: readonly unknown[]) => api.admin(`POST ${path}`, { body: { events } })
  const taken = await post(event(id))
  expect([taken.status, taken.body]).toEqual([
    200,
    { events: [{ name: 'network-changed', server_uuid: id, status: 'completed', code: 200 }] },
  ])
  const mixed = await post(event(id), event(randomUUID()), event(await boot(api)))
  expect([mixed.status, mixed.body]).toMatchObject([
    207,
    { events: [{ code: 200 }, { code: 404, status: 'failed' }, { code: 422, status: 'failed' }] },
  ])
  expect((await post(event(randomUUID()))).status).toBe(404)
  expect((await post(event(id, 'sunrise'))).status).toBe(400)
  expect((await post()).status).toBe(400)
  expect((await api.member(`POST ${path}`, { body: { events: [event(id)] } })).status).toBe(403)
})

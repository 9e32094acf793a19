import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { z } from 'zod'
import { settings, type Config } from '../../core/config.ts'
import { schedule } from '../../scheduler/schedule.ts'
import { openSite } from '../../scheduler/site.ts'
import { addHost, boot, bootBody, startApi, type TestApi } from '../api/fixture.ts'

let api: TestApi
beforeAll(async () => {
  api = await startApi()
  for (const name of ['host-1', 'host-2', 'host-3']) await addHost(api.db, name)
})
beforeEach(async () => {
  await api.db('allocations').delete()
})
afterAll(async () => {
  await api.stop()
})

/** @returns the host that was chosen; null when there was none */
async function settle(serverId: string, changed: Partial<Config> = {}): Promise<string | null> {
  const site = openSite(api.db, settings.parse({ home: '/nowhere', ...changed }))
  await schedule(site, { serverId, requestId: `req-${randomUUID()}`, adminPassword: 'x' })
  return (await api.db('servers').where({ id: serverId }).first('host'))?.host ?? null
}

const one = z.object({ server: z.object({ id: z.uuid() }) })

async function bootWith(hints: Readonly<Record<string, unknown>>): Promise<string> {
  const { server } = z.object({ server: z.unknown() }).parse(bootBody(api))
  const answer = await api.member('POST /compute/v2.1/servers', { body: { server, 'os:scheduler_hints': hints } })
  expect([answer.status, answer.body]).toEqual([202, expect.anything()])
  return one.parse(answer.body).server.id
}

const made = z.object({ server_group: z.object({ id: z.uuid() }) })
async function group(policy: string, rules: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const answer = await api.member('POST /compute/v2.1/os-server-groups', {
    version: '2.64',
    body: { server_group: { name: policy, policy, rules } },
  })
  return made.parse(answer.body).server_group.id
}

async function spread(hint: Readonly<Record<string, unknown>>, count: number): Promise<readonly (string | null)[]> {
  const hosts: (string | null)[] = []
  for (let index = 0; index < count; index++) hosts.push(await settle(await bootWith(hint)))
  return hosts
}

test('servers without a wish are spread', async () => {
  expect((await spread({}, 3)).toSorted()).toEqual(['host-1', 'host-2', 'host-3'])
})

test('a group of affinity stands on one host, one of anti-affinity on as many as there are, and not on fewer', async () => {
  expect(new Set(await spread({ group: await group('affinity') }, 3)).size).toBe(1)
  const apart = await spread({ group: await group('anti-affinity') }, 4)
  expect(new Set(apart.slice(0, 3))).toEqual(new Set(['host-1', 'host-2', 'host-3']))
  expect(apart[3]).toBeNull()
  const pairs = await spread({ group: await group('anti-affinity', { max_server_per_host: 2 }) }, 6)
  expect(pairs.toSorted()).toEqual(['host-1', 'host-1', 'host-2', 'host-2', 'host-3', 'host-3'])
})

test('the soft policies go as far as they can', async () => {
  expect(new Set(await spread({ group: await group('soft-affinity') }, 3)).size).toBe(1)
  const apart = await spread({ group: await group('soft-anti-affinity') }, 4)
  expect(new Set(apart.slice(0, 3)).size).toBe(3)
  expect(apart[3]).not.toBeNull()
})

test('one member of a group of anti-affinity that finds no place is told why, host by host', async () => {
  const hint = { group: await group('anti-affinity') }
  await spread(hint, 3)
  const last = await bootWith(hint)
  expect(await settle(last)).toBeNull()
  const fault = await api.db('faults').where({ serverId: last }).first()
  expect(fault?.message).toMatch(/host-1.*1 of the group's servers stand on it/)
})

test('a host that told of trouble after it was looked at is refused with that, not as taken by another', async () => {
  const site = openSite(api.db, settings.parse({ home: '/nowhere' }))
  const serverId = await bootWith({})
  await site.book.page({ isFresh: false })
  await api.db('hosts').update({ problem: 'no room on /disk' })
  try {
    await schedule(site, { serverId, requestId: `req-${randomUUID()}`, adminPassword: 'x' })
  } finally {
    await api.db('hosts').update({ problem: null })
  }
  const fault = await api.db('faults').where({ serverId }).first()
  expect(fault?.message).toMatch(/(host-\d, ){2}host-\d: no room on \/disk$/)
})

test('a server stands on the host of another, or not on it, as its hint says', async () => {
  const first = await bootWith({})
  const host = await settle(first)
  expect(await settle(await bootWith({ same_host: [first] }))).toBe(host)
  expect(await settle(await bootWith({ different_host: first }))).not.toBe(host)
  expect(await settle(await bootWith({ same_host: randomUUID() }))).toBeNull()
})

test('an administrator names the host; the zone of a server becomes that of its host', async () => {
  const aggregate = await api.admin('POST /compute/v2.1/os-aggregates', {
    body: { aggregate: { name: 'east', availability_zone: 'east' } },
  })
  const { id } = z.object({ aggregate: z.object({ id: z.int() }) }).parse(aggregate.body).aggregate
  const act = (action: unknown) => api.admin(`POST /compute/v2.1/os-aggregates/${id}/action`, { body: action })
  await act({ add_host: { host: 'host-2' } })
  const named = async (more: Readonly<Record<string, unknown>>, version?: string): Promise<string> => {
    const asked = { body: bootBody(api, more), ...(version === undefined ? {} : { version }) }
    return one.parse((await api.admin('POST /compute/v2.1/servers', asked)).body).server.id
  }
  for (const [more, version] of [
    [{ availability_zone: 'nova:host-2' }, '2.1'],
    [{ host: 'host-2', networks: 'auto' }, '2.74'],
    [{ availability_zone: 'east' }, '2.1'],
  ] as const) {
    const server = await named(more, version)
    expect(await settle(server)).toBe('host-2')
    expect((await api.db('servers').where({ id: server }).first())?.availabilityZone).toBe('east')
  }
  const outside = await boot(api, { availability_zone: 'nova' })
  expect(await settle(outside)).not.toBe('host-2')
  for (const more of [{ availability_zone: 'nova:host-2' }, { availability_zone: 'nova:host-2:x:y' }])
    expect((await api.member('POST /compute/v2.1/servers', { body: bootBody(api, more) })).status).toBeGreaterThan(399)
  const nowhere = await api.admin('POST /compute/v2.1/servers', { body: bootBody(api, { availability_zone: ':gone' }) })
  expect(nowhere.status).toBe(400)
  await act({ remove_host: { host: 'host-2' } })
})

/** Hosts and what administrators see of them, at every microversion where a request or a reply changes. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { z } from 'zod'
import type { Microversion } from '../../../../api/microversion.ts'
import { addHost, boot, place, startApi, type TestApi } from '../../fixture.ts'
import { turnsIn, unseen, walker, type Ask } from '../walk.ts'
import { hostContracts } from './hosts.ts'

let api: TestApi
beforeAll(async () => {
  api = await startApi()
  await addHost(api.db, 'host-1')
  const id = await boot(api)
  await place(api.db, id)
  await addHost(api.db, 'host-2')
  await api.db('allocations').insert({ serverId: id, host: 'host-1', vcpus: 1, memoryMiB: 128, diskGiB: 1 })
  const body = { resize: { flavorRef: '2' } }
  const moved = await api.member(`POST /compute/v2.1/servers/${id}/action`, { body })
  expect(moved.status).toBe(202)
})
afterAll(async () => {
  await api.stop()
})

const root = '/compute/v2.1'
const hypervisors = z.object({ hypervisors: z.array(z.object({ id: z.union([z.int(), z.uuid()]) })) })

async function walkHypervisors(ask: Ask, version: Microversion): Promise<void> {
  const { admin } = api
  const path = `${root}/os-hypervisors`
  const { body } = await ask(admin, `GET ${path}${version >= 33 ? '?limit=1' : ''}`)
  const [first] = hypervisors.parse(body).hypervisors
  await ask(admin, `GET ${path}/detail${version >= 53 ? '?with_servers=true' : ''}`)
  await ask(admin, `GET ${path}/${first?.id ?? ''}`)
  if (version < 88) {
    await ask(admin, `GET ${path}/statistics`)
    await ask(admin, `GET ${path}/${first?.id ?? ''}/uptime`)
  }
  if (version >= 53) return
  await ask(admin, `GET ${path}/host/search`)
  await ask(admin, `GET ${path}/host/servers`)
}

const services = z.object({ services: z.array(z.object({ id: z.union([z.int(), z.uuid()]), host: z.string() })) })

async function walkServices(ask: Ask, version: Microversion): Promise<void> {
  const { admin } = api
  const path = `${root}/os-services`
  const host = `passing-${version}`
  await addHost(api.db, host)
  const { body } = await ask(admin, `GET ${path}?host=${host}`)
  const id = services.parse(body).services[0]?.id ?? ''
  if (version < 53) {
    const named = { host, binary: 'nova-compute' }
    await ask(admin, `PUT ${path}/disable`, { body: named })
    await ask(admin, `PUT ${path}/disable-log-reason`, { body: { ...named, disabled_reason: 'r' } })
    if (version >= 11) await ask(admin, `PUT ${path}/force-down`, { body: { ...named, forced_down: true } })
  } else await ask(admin, `PUT ${path}/${id}`, { body: { status: 'disabled', disabled_reason: 'r' } })
  await ask(admin, `DELETE ${path}/${id}`)
  if (version >= 43) return
  const hosts = `${root}/os-hosts`
  await ask(admin, `GET ${hosts}`)
  await ask(admin, `GET ${hosts}/host-1`)
  await ask(admin, `PUT ${hosts}/host-1`, { body: { status: 'enable' } })
  for (const verb of ['startup', 'shutdown', 'reboot']) await ask(admin, `GET ${hosts}/host-1/${verb}`, { status: 501 })
}

const aggregate = z.object({ aggregate: z.object({ id: z.int() }) })

async function walkAggregates(ask: Ask, version: Microversion): Promise<void> {
  const { admin } = api
  const all = `${root}/os-aggregates`
  const body = { aggregate: { name: `set-${randomUUID()}`, availability_zone: 'zone' } }
  const made = await ask(admin, `POST ${all}`, { body })
  const path = `${all}/${aggregate.parse(made.body).aggregate.id}`
  await ask(admin, `GET ${all}`)
  await ask(admin, `GET ${path}`)
  await ask(admin, `PUT ${path}`, { body: { aggregate: { name: `other-${randomUUID()}` } } })
  await ask(admin, `POST ${path}/action`, { body: { set_metadata: { metadata: { ssd: 'true' } } } })
  await ask(admin, `POST ${path}/action`, { body: { add_host: { host: 'host-2' } } })
  if (version >= 81) await ask(admin, `POST ${path}/images`, { body: { cache: [{ id: api.imageId }] } })
  await ask(admin, `POST ${path}/action`, { body: { remove_host: { host: 'host-2' } } })
  await ask(admin, `DELETE ${path}`)
  await ask(api.member, `GET ${root}/os-availability-zone`)
  await ask(admin, `GET ${root}/os-availability-zone/detail`)
}

const group = z.object({ server_group: z.object({ id: z.uuid() }) })

async function walkGroups(ask: Ask, version: Microversion): Promise<void> {
  const { member } = api
  const all = `${root}/os-server-groups`
  const policies = version < 15 ? ['affinity'] : ['soft-affinity']
  const wish = version < 64 ? { policies } : { policy: 'anti-affinity', rules: { max_server_per_host: 2 } }
  const body = { server_group: { name: 'g', ...wish } }
  const other = version < 64 ? { policy: 'affinity', rules: {} } : { policies: ['affinity'] }
  const path = `${all}/${group.parse((await ask(member, `POST ${all}`, { body, elsewhere: other })).body).server_group.id}`
  await ask(member, `GET ${all}`)
  await ask(member, `GET ${path}`)
  await ask(member, `DELETE ${path}`)
}

test.each(turnsIn(hostContracts))('hosts are as they should be at 2.%d', async (version) => {
  const ask = walker(version)
  await api.db('hosts').update({ heartbeatAt: api.db.fn.now() })
  await walkHypervisors(ask, version)
  await walkServices(ask, version)
  await walkAggregates(ask, version)
  await walkGroups(ask, version)
  await ask(api.admin, `GET ${root}/os-migrations${version >= 59 ? '?limit=1' : ''}`)
})

test('every shape was seen', () => {
  expect(unseen(api.book, hostContracts)).toEqual([])
})

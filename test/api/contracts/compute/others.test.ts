/** Usage, events, versions and the proxies of images and networks, at every microversion where they change. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { z } from 'zod'
import type { Microversion } from '../../../../api/microversion.ts'
import { addHost, boot, place, startApi, type TestApi } from '../../fixture.ts'
import { turnsIn, unseen, walker, type Ask } from '../walk.ts'
import { imageProxies, networkProxies, usage, versions } from './others.ts'

let api: TestApi
let placed: string
let waiting: string
beforeAll(async () => {
  api = await startApi()
  await addHost(api.db, 'host-1')
  placed = await boot(api)
  waiting = await boot(api)
  await place(api.db, placed)
})
afterAll(async () => {
  await api.stop()
})

const root = '/compute/v2.1'
const all = { ...usage, ...versions, ...imageProxies, ...networkProxies }

async function walkUsage(ask: Ask, version: Microversion): Promise<void> {
  const { admin, member, projectId } = api
  const path = `${root}/os-simple-tenant-usage`
  await ask(admin, `GET ${path}?detailed=1${version >= 40 ? '&limit=1' : ''}`)
  await ask(member, `GET ${path}/${projectId}`)
  await ask(admin, `GET ${root}/os-instance_usage_audit_log`)
  await ask(admin, `GET ${root}/os-instance_usage_audit_log/2026-02-01%2000:00:00`)
  const event = { name: 'network-changed', server_uuid: placed }
  await ask(admin, `POST ${root}/os-server-external-events`, { body: { events: [event] }, status: 200 })
  const two = { events: [event, { ...event, server_uuid: waiting }] }
  await ask(admin, `POST ${root}/os-server-external-events`, { body: two, status: 207 })
}

async function walkVersions(ask: Ask): Promise<void> {
  const { nobody, member } = api
  for (const path of ['/', '/v2', '/v2/', '/v2.1', '/v2.1/']) await ask(nobody, `GET /compute${path}`)
  await ask(member, `GET ${root}/extensions`)
  await ask(member, `GET ${root}/extensions/os-consoles`)
}

async function imageOf(): Promise<string> {
  const { body } = await api.member('POST /image/v2/images', { body: { name: 'mine' } })
  return z.looseObject({ id: z.uuid() }).parse(body).id
}

async function walkImages(ask: Ask, version: Microversion): Promise<void> {
  if (version >= 39) return
  const { member } = api
  const path = `${root}/images/${await imageOf()}`
  await ask(member, `POST ${path}/metadata`, { body: { metadata: { a: '1' } } })
  await ask(member, `PUT ${path}/metadata`, { body: { metadata: { b: '2' } } })
  await ask(member, `GET ${path}/metadata`)
  await ask(member, `PUT ${path}/metadata/c`, { body: { meta: { c: '3' } } })
  await ask(member, `GET ${path}/metadata/c`)
  await ask(member, `DELETE ${path}/metadata/c`)
  if (version >= 36) return
  await ask(member, `GET ${root}/images?limit=1`)
  await ask(member, `GET ${root}/images/detail`)
  await ask(member, `GET ${path}`)
  await ask(member, `DELETE ${path}`)
}

const group = z.object({ security_group: z.object({ id: z.uuid() }) })
const rule = z.object({ security_group_rule: z.object({ id: z.uuid() }) })

async function walkNetworks(ask: Ask, version: Microversion): Promise<void> {
  if (version >= 36) return
  const { member, admin, networkId } = api
  const groups = `${root}/os-security-groups`
  const body = { security_group: { name: 'web', description: 'd' } }
  const { id } = group.parse((await ask(member, `POST ${groups}`, { body })).body).security_group
  const wish = { parent_group_id: id, ip_protocol: 'tcp', from_port: 22, to_port: 22, cidr: '10.0.0.0/8' }
  const rules = `${root}/os-security-group-rules`
  const made = await ask(member, `POST ${rules}`, { body: { security_group_rule: wish } })
  await ask(member, `GET ${groups}`)
  await ask(member, `GET ${groups}/${id}`)
  await ask(member, `PUT ${groups}/${id}`, { body })
  await ask(member, `DELETE ${rules}/${rule.parse(made.body).security_group_rule.id}`)
  await ask(member, `DELETE ${groups}/${id}`)
  for (const client of [member, admin]) {
    await ask(client, `GET ${root}/os-networks`)
    await ask(client, `GET ${root}/os-networks/${networkId}`)
  }
  await ask(member, `GET ${root}/os-tenant-networks`)
  await ask(member, `GET ${root}/os-tenant-networks/${networkId}`)
  for (const path of ['os-networks', 'os-tenant-networks']) {
    await ask(admin, `POST ${root}/${path}`, { body: {}, status: 410 })
    await ask(admin, `DELETE ${root}/${path}/${networkId}`, { status: 410 })
  }
}

test.each(turnsIn(all))('usage and the proxies are as they should be at 2.%d', async (version) => {
  const ask = walker(version)
  await walkUsage(ask, version)
  await walkVersions(ask)
  await walkImages(ask, version)
  await walkNetworks(ask, version)
})

test('every shape was seen', () => {
  expect(unseen(api.book, all)).toEqual([])
})

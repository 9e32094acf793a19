/** /servers and what lies below it, at every microversion where a request or a reply changes. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { z } from 'zod'
import type { Microversion } from '../../../../api/microversion.ts'
import { place, startApi, type Answer, type TestApi } from '../../fixture.ts'
import { addHosts } from '../agent.ts'
import type { Contracts } from '../contract.ts'
import { turnsIn, unseen, walker, type Ask } from '../walk.ts'
import { inspections, ofWires, ofWords, servers } from './servers.ts'

let api: TestApi
let hosts: Awaited<ReturnType<typeof addHosts>>
beforeAll(async () => {
  api = await startApi()
  hosts = await addHosts(api.db)
})
afterAll(async () => {
  hosts.close()
  await api.stop()
})

const root = '/compute/v2.1/servers'
const made = z.object({ server: z.object({ id: z.uuid() }) })

function idIn({ body }: Answer): string {
  return made.parse(body).server.id
}

/** What came to a new server with later versions, or went. */
const later = {
  description: 'd',
  tags: ['a'],
  host: 'host-1',
  hypervisor_hostname: 'host-1',
  hostname: 'web',
  personality: [],
  trusted_image_certificates: null,
}

async function walkServers(ask: Ask, version: Microversion): Promise<string> {
  const { member, admin } = api
  const nics = { networks: [{ uuid: api.networkId }] }
  const wish = { name: 'web', imageRef: api.imageId, flavorRef: '1', ...nics }
  const hints = { 'os:scheduler_hints': {} }
  await ask(member, `POST ${root}`, { body: { server: { ...wish, return_reservation_id: true }, ...hints } })
  await ask(member, 'POST /compute/v2.1/os-volumes_boot', { body: { server: wish } })
  const tagged = { ...wish, networks: [{ uuid: api.networkId, tag: 'front' }] }
  const isTagged = (version >= 32 && version < 37) || version >= 42
  await ask(member, `POST ${root}`, { body: { server: tagged }, status: isTagged ? 202 : 400 })
  const id = idIn(await ask(member, `POST ${root}`, { body: { server: wish }, elsewhere: later }))
  await ask(admin, `GET ${root}/${id}`)
  await place(api.db, id)
  await ask(member, `GET ${root}?limit=1`)
  await ask(member, `GET ${root}/detail?limit=1`)
  await ask(admin, `GET ${root}/detail?all_tenants=1`)
  await ask(member, `GET ${root}/${id}`)
  await ask(admin, `GET ${root}/${id}`)
  const body = { server: { name: 'new', accessIPv4: '192.0.2.1', accessIPv6: '2001:DB8::1' } }
  await ask(member, `PUT ${root}/${id}`, { body, elsewhere: { description: 'd', hostname: 'web' } })
  await ask(admin, `PUT ${root}/${id}`, { body: { server: { name: 'web' } } })
  return id
}

async function walkWords(ask: Ask, version: Microversion, path: string): Promise<void> {
  const { member } = api
  await ask(member, `POST ${path}/metadata`, { body: { metadata: { a: '1' } } })
  await ask(member, `PUT ${path}/metadata`, { body: { metadata: { b: '2' } } })
  await ask(member, `GET ${path}/metadata`)
  await ask(member, `PUT ${path}/metadata/c`, { body: { meta: { c: '3' } } })
  await ask(member, `GET ${path}/metadata/c`)
  await ask(member, `DELETE ${path}/metadata/c`)
  if (version < 26) return
  await ask(member, `PUT ${path}/tags`, { body: { tags: ['x'] } })
  await ask(member, `PUT ${path}/tags/y`, { status: 201 })
  await ask(member, `PUT ${path}/tags/y`, { status: 204 })
  await ask(member, `GET ${path}/tags`)
  await ask(member, `GET ${path}/tags/y`)
  await ask(member, `DELETE ${path}/tags/y`)
  await ask(member, `DELETE ${path}/tags`)
}

const attachment = z.object({ interfaceAttachment: z.object({ port_id: z.uuid() }) })

async function walkWires(ask: Ask, path: string): Promise<void> {
  const { member } = api
  await ask(member, `GET ${path}/ips`)
  await ask(member, `GET ${path}/ips/private`)
  await ask(member, `GET ${path}/os-interface`)
  await ask(member, `GET ${path}/os-security-groups`)
  await ask(member, `GET ${path}/os-volume_attachments`)
  await ask(member, `GET ${path}/os-virtual-interfaces`, { status: 410 })
  const body = { interfaceAttachment: { net_id: api.networkId } }
  const answer = await ask(member, `POST ${path}/os-interface`, { body, elsewhere: { tag: 'back' } })
  const { port_id: port } = attachment.parse(answer.body).interfaceAttachment
  await ask(member, `GET ${path}/os-interface/${port}`)
  await ask(member, `DELETE ${path}/os-interface/${port}`)
}

const actions = z.object({ instanceActions: z.array(z.object({ request_id: z.string() })) })

/** What agents write down when they have done something. */
async function addEvent(requestId: string): Promise<void> {
  const action = await api.db('server_actions').where({ requestId }).first()
  const event = { event: 'compute_stop_instance', host: 'host-1', result: 'Success' } as const
  await api.db('server_action_events').insert({ actionId: action?.id ?? 0, ...event })
}

async function walkInspection(ask: Ask, version: Microversion, path: string): Promise<void> {
  const { member, admin } = api
  const { body } = await ask(member, `GET ${path}/os-instance-actions`)
  const request = actions.parse(body).instanceActions[0]?.request_id ?? ''
  await addEvent(request)
  await ask(member, `GET ${path}/os-instance-actions/${request}`)
  await ask(admin, `GET ${path}/os-instance-actions/${request}`)
  await ask(admin, `GET ${path}/diagnostics`)
  await ask(member, `GET ${path}/os-server-password`)
  await ask(member, `DELETE ${path}/os-server-password`)
  if (version >= 23) await ask(admin, `GET ${path}/migrations`)
  if (version >= 78) await ask(member, `GET ${path}/topology`)
  if (version < 6) return
  const console_ = { remote_console: { protocol: 'vnc', type: 'novnc' } }
  await ask(member, `POST ${path}/remote-consoles`, { body: console_, status: 400 })
}

test.each(turnsIn(servers))('requests and replies are as they should be at 2.%d', async (version) => {
  const ask = walker(version)
  const path = `${root}/${await walkServers(ask, version)}`
  const changes = (some: Contracts): boolean => turnsIn(some).includes(version)
  if (changes(ofWords)) await walkWords(ask, version, path)
  if (changes(ofWires)) await walkWires(ask, path)
  if (changes(inspections)) await walkInspection(ask, version, path)
  await ask(api.member, `DELETE ${path}`)
})

/** A move under way needs its two hosts: the tests of moves look at one. */
const seenElsewhere = 'GET /compute/v2.1/servers/:id/migrations/:migration'

test('every shape was seen', () => {
  const here = Object.fromEntries(Object.entries(servers).filter(([name]) => name !== seenElsewhere))
  expect(unseen(api.book, here)).toEqual([])
})

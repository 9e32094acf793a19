/** Nova's view of the network, for clients older than 2.36. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { z } from 'zod'
import { startApi, type Answer, type TestApi } from '../fixture.ts'

let api: TestApi
beforeAll(async () => {
  api = await startApi()
})
afterAll(async () => {
  await api.stop()
})

const rule = z.strictObject({
  id: z.uuid(),
  parent_group_id: z.uuid(),
  ip_protocol: z.string().nullable(),
  from_port: z.int().nullable(),
  to_port: z.int().nullable(),
  group: z.union([z.strictObject({}), z.strictObject({ name: z.string(), tenant_id: z.string() })]),
  ip_range: z.union([z.strictObject({}), z.strictObject({ cidr: z.string() })]),
})
const group = z.strictObject({
  id: z.uuid(),
  name: z.string(),
  description: z.string(),
  tenant_id: z.string(),
  rules: z.array(rule),
})

async function makeGroup(name: string): Promise<z.output<typeof group>> {
  const body = { security_group: { name, description: 'd' } }
  const answer = await api.member('POST /compute/v2.1/os-security-groups', { body })
  expect(answer.status).toBe(200)
  return z.strictObject({ security_group: group }).parse(answer.body).security_group
}

async function makeRule(more: Readonly<Record<string, unknown>>): Promise<Answer> {
  return await api.member('POST /compute/v2.1/os-security-group-rules', { body: { security_group_rule: more } })
}

test('a group is made, listed, changed, shown and deleted', async () => {
  const { id } = await makeGroup('web')
  const path = `/compute/v2.1/os-security-groups/${id}`
  const { body } = await api.member('GET /compute/v2.1/os-security-groups')
  const { security_groups: groups } = z.strictObject({ security_groups: z.array(group) }).parse(body)
  expect(groups.map(({ name }) => name).toSorted()).toEqual(['default', 'web'])
  const changed = await api.member(`PUT ${path}`, { body: { security_group: { name: 'www', description: 'e' } } })
  expect(changed.body).toMatchObject({ security_group: { name: 'www', description: 'e', rules: [] } })
  expect((await api.stranger(`GET ${path}`)).status).toBe(404)
  expect((await api.member(`DELETE ${path}`)).status).toBe(202)
  expect((await api.member(`GET ${path}`)).status).toBe(404)
})

test('a rule has the shape that Nova gave it, and is refused twice', async () => {
  const [one, peer] = [await makeGroup('one'), await makeGroup('peer')]
  const asked = { parent_group_id: one.id, ip_protocol: 'tcp', from_port: '22', to_port: 22, cidr: '10.2.3.0/24' }
  const made = await makeRule(asked)
  expect(made.status).toBe(200)
  expect(z.strictObject({ security_group_rule: rule }).parse(made.body).security_group_rule).toMatchObject({
    from_port: 22,
    to_port: 22,
    ip_protocol: 'tcp',
    group: {},
    ip_range: { cidr: '10.2.3.0/24' },
  })
  expect((await makeRule(asked)).status).toBe(400)
  const ofPeer = await makeRule({ ...asked, cidr: null, group_id: peer.id })
  expect(ofPeer.body).toMatchObject({
    security_group_rule: { group: { name: 'peer', tenant_id: api.projectId }, ip_range: {} },
  })
  const ping = await makeRule({ parent_group_id: one.id, ip_protocol: 'icmp', from_port: -1, to_port: -1 })
  expect(ping.body).toMatchObject({
    security_group_rule: { from_port: -1, to_port: -1, ip_range: { cidr: '0.0.0.0/0' } },
  })
  await api.member(`DELETE /compute/v2.1/os-security-groups/${peer.id}`)
  const { body } = await api.member(`GET /compute/v2.1/os-security-groups/${one.id}`)
  const rules = z.strictObject({ security_group: group }).parse(body).security_group.rules
  expect(rules).toHaveLength(2)
  for (const { id } of rules)
    expect((await api.member(`DELETE /compute/v2.1/os-security-group-rules/${id}`)).status).toBe(202)
})

const absent = '00000000-0000-4000-8000-000000000000'
test.each([
  [{ parent_group_id: 'no uuid' }, 400],
  [{ parent_group_id: absent }, 404],
  [{ ip_protocol: 'quux' }, 400],
  [{ from_port: 'x' }, 400],
  [{ from_port: 0 }, 400],
  [{ to_port: 65_536 }, 400],
  [{ from_port: 30 }, 400],
  [{ cidr: '10.0.0.0/33' }, 400],
  [{ ip_protocol: null }, 400],
  [{ group_id: absent }, 404],
])('a rule with %j is refused', async (more, status) => {
  const { body } = await api.member('GET /compute/v2.1/os-security-groups')
  const [first] = z.strictObject({ security_groups: z.array(group) }).parse(body).security_groups
  const good = { parent_group_id: first?.id, ip_protocol: 'tcp', from_port: 22, to_port: 22 }
  expect((await makeRule({ ...good, ...more })).status).toBe(status)
})

test.each([
  ['GET', `os-security-groups/${absent}`, 404],
  ['DELETE', `os-security-groups/${absent}`, 404],
  ['DELETE', 'os-security-groups/', 404],
  ['DELETE', `os-security-group-rules/${absent}`, 404],
  ['DELETE', 'os-security-group-rules/x', 400],
  ['POST', 'os-networks', 410],
  ['GET', `os-networks/${absent}`, 404],
])('%s %s is answered with %i', async (method, path, status) => {
  expect((await api.member(`${method} /compute/v2.1/${path}`)).status).toBe(status)
})

test('networks are listed and shown, with more fields for administrators', async () => {
  const { body } = await api.member(`GET /compute/v2.1/os-networks/${api.networkId}`)
  expect(body).toMatchObject({ network: { id: api.networkId, label: 'private', cidr: null } })
  expect((await api.admin(`GET /compute/v2.1/os-networks/${api.networkId}`)).body).toMatchObject({
    network: { vlan: null },
  })
  expect((await api.member('GET /compute/v2.1/os-tenant-networks')).body).toEqual({
    networks: [{ id: api.networkId, label: 'private', cidr: 'None' }],
  })
  expect((await api.member(`GET /compute/v2.1/os-tenant-networks/${api.networkId}`)).status).toBe(200)
})

test('all of it ends with 2.36', async () => {
  for (const path of ['os-security-groups', 'os-networks', 'os-tenant-networks'])
    expect((await api.member(`GET /compute/v2.1/${path}`, { version: '2.36' })).status).toBe(404)
})

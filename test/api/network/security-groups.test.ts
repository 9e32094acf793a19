import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { z } from 'zod'
import { boot, startApi, type Answer, type Client, type TestApi } from '../fixture.ts'

let api: TestApi
beforeAll(async () => {
  api = await startApi()
})
afterAll(async () => {
  await api.stop()
})

const fault = z.strictObject({
  NeutronError: z.strictObject({ type: z.string(), message: z.string(), detail: z.literal('') }),
})
function faultOf({ status, body }: Answer): readonly [number, string] {
  return [status, fault.parse(body).NeutronError.type]
}

const rule = z.looseObject({ id: z.uuid(), direction: z.string(), ethertype: z.string() })
const group = z.looseObject({
  id: z.uuid(),
  name: z.string(),
  revision_number: z.number(),
  security_group_rules: z.array(rule),
})
type Group = z.output<typeof group>

async function makeGroup(name: string, as: Client = api.member): Promise<Group> {
  const answer = await as('POST /networking/v2.0/security-groups', { body: { security_group: { name } } })
  expect(answer.status).toBe(201)
  return z.strictObject({ security_group: group }).parse(answer.body).security_group
}

async function makeRule(groupId: string, more: Readonly<Record<string, unknown>>): Promise<Answer> {
  const body = { security_group_rule: { security_group_id: groupId, direction: 'ingress', ...more } }
  return await api.member('POST /networking/v2.0/security-group-rules', { body })
}

async function groupsNamed(name: string, as: Client = api.member): Promise<readonly Group[]> {
  const { body } = await as(`GET /networking/v2.0/security-groups?name=${name}`)
  return z.strictObject({ security_groups: z.array(group) }).parse(body).security_groups
}

test('a group is made with all out, renamed, and deleted', async () => {
  const made = await makeGroup('web')
  expect(made.security_group_rules.map(({ direction, ethertype }) => `${direction} ${ethertype}`).toSorted()).toEqual([
    'egress IPv4',
    'egress IPv6',
  ])
  const path = `/networking/v2.0/security-groups/${made.id}`
  const renamed = await api.member(`PUT ${path}`, { body: { security_group: { name: 'www', description: 'd' } } })
  expect(renamed.body).toMatchObject({ security_group: { name: 'www', description: 'd', revision_number: 1 } })
  expect((await api.stranger(`GET ${path}`)).status).toBe(404)
  expect((await api.reader(`DELETE ${path}`)).status).toBe(403)
  expect((await api.member(`DELETE ${path}`)).status).toBe(204)
  expect(faultOf(await api.member(`GET ${path}`))).toEqual([404, 'SecurityGroupNotFound'])
})

test('the default group keeps its name, goes only by an administrator, and is made again on demand', async () => {
  const [first] = await groupsNamed('default')
  const path = `/networking/v2.0/security-groups/${first?.id ?? ''}`
  const rename = { body: { security_group: { name: 'other' } } }
  expect(faultOf(await api.member(`PUT ${path}`, rename))).toEqual([409, 'SecurityGroupCannotUpdateDefault'])
  expect(faultOf(await api.member(`DELETE ${path}`))).toEqual([409, 'SecurityGroupCannotRemoveDefault'])
  const named = await api.member('POST /networking/v2.0/security-groups', {
    body: { security_group: { name: 'default' } },
  })
  expect(faultOf(named)).toEqual([409, 'SecurityGroupDefaultAlreadyExists'])
  expect((await api.admin(`DELETE ${path}`)).status).toBe(204)
  const [second] = await groupsNamed('default')
  expect(second?.id).not.toBe(first?.id)
  expect(second?.security_group_rules).toHaveLength(4)
})

test('a group on a port stays', async () => {
  const made = await makeGroup('used')
  await boot(api, { security_groups: [{ name: 'used' }] })
  expect(faultOf(await api.member(`DELETE /networking/v2.0/security-groups/${made.id}`))).toEqual([
    409,
    'SecurityGroupInUse',
  ])
})

test.each([
  [
    { protocol: 'TCP', port_range_min: 80, port_range_max: '443', remote_ip_prefix: '10.0.0.7/24' },
    {
      ...{ protocol: 'tcp', port_range_min: 80, port_range_max: 443, ethertype: 'IPv4' },
      ...{ remote_ip_prefix: '10.0.0.7/24', normalized_cidr: '10.0.0.0/24' },
    },
  ],
  [
    { protocol: 'icmp', port_range_min: 8, port_range_max: 0 },
    { protocol: 'icmp', port_range_min: 8, port_range_max: 0 },
  ],
  [
    { protocol: 'icmpv6', ethertype: 'IPv6' },
    { protocol: 'ipv6-icmp', ethertype: 'IPv6' },
  ],
  [{ protocol: 47 }, { protocol: '47', port_range_min: null }],
  [
    { remote_ip_prefix: 'fd00::7', ethertype: 'ipv6' },
    { remote_ip_prefix: 'fd00::7/128', ethertype: 'IPv6', protocol: null },
  ],
  [
    { direction: 'egress', protocol: 'any', remote_ip_prefix: '192.0.2.0/24' },
    { direction: 'egress', protocol: null },
  ],
])('a rule of %j is kept', async (asked, kept) => {
  const { id } = await makeGroup('kept')
  const made = await makeRule(id, asked)
  expect(made.status).toBe(201)
  expect(made.body).toMatchObject({ security_group_rule: { security_group_id: id, ...kept } })
  expect(faultOf(await makeRule(id, asked))).toEqual([409, 'SecurityGroupRuleExists'])
  await api.member(`DELETE /networking/v2.0/security-groups/${id}`)
})

test.each([
  [{ protocol: 'tcp', port_range_min: 90, port_range_max: 80 }, 'SecurityGroupInvalidPortRange'],
  [{ protocol: 'tcp', port_range_min: 90 }, 'SecurityGroupInvalidPortRange'],
  [{ port_range_min: 80, port_range_max: 80 }, 'SecurityGroupProtocolRequiredWithPorts'],
  [{ protocol: 'icmp', port_range_max: 1 }, 'SecurityGroupMissingIcmpType'],
  [{ protocol: 'icmp', port_range_min: 256 }, 'SecurityGroupInvalidIcmpValue'],
  [{ protocol: 'gre', port_range_min: 1, port_range_max: 2 }, 'SecurityGroupInvalidProtocolForPort'],
  [{ protocol: 'quux' }, 'SecurityGroupRuleInvalidProtocol'],
  [{ protocol: '256' }, 'SecurityGroupRuleInvalidProtocol'],
  [{ protocol: 'ipv6-icmp' }, 'SecurityGroupEthertypeConflictWithProtocol'],
  [{ remote_ip_prefix: 'fd00::/64' }, 'SecurityGroupRuleParameterConflict'],
  [{ remote_ip_prefix: 'here' }, 'InvalidInput'],
  [{ direction: 'sideways' }, 'HTTPBadRequest'],
  [{ protocol: 'tcp', port_range_min: 1, port_range_max: 65_536 }, 'HTTPBadRequest'],
])('a rule of %j is refused', async (asked, type) => {
  const [group] = await groupsNamed('default')
  expect(faultOf(await makeRule(group?.id ?? '', asked))).toEqual([400, type])
})

test('a rule names a group or a prefix, and goes with the group that it names', async () => {
  const [one, peer] = [await makeGroup('one'), await makeGroup('peer')]
  const both = { remote_group_id: peer.id, remote_ip_prefix: '10.0.0.0/8' }
  expect(faultOf(await makeRule(one.id, both))).toEqual([400, 'SecurityGroupRemoteGroupAndRemoteIpPrefix'])
  const unknown = { remote_group_id: '00000000-0000-4000-8000-000000000000' }
  expect(faultOf(await makeRule(one.id, unknown))).toEqual([404, 'SecurityGroupNotFound'])
  expect((await makeRule(one.id, { remote_group_id: peer.id })).status).toBe(201)
  const [before] = await groupsNamed('one')
  expect(before?.security_group_rules).toHaveLength(3)
  expect(before?.revision_number).toBeGreaterThan(one.revision_number)
  await api.member(`DELETE /networking/v2.0/security-groups/${peer.id}`)
  expect((await groupsNamed('one'))[0]?.security_group_rules).toHaveLength(2)
})

test('rules are listed by their fields, shown and deleted', async () => {
  const { id } = await makeGroup('listed')
  await makeRule(id, { protocol: 'udp', port_range_min: 53, port_range_max: 53 })
  const list = async (query: string): Promise<readonly unknown[]> => {
    const { body } = await api.member(`GET /networking/v2.0/security-group-rules?security_group_id=${id}&${query}`)
    return z.strictObject({ security_group_rules: z.array(rule) }).parse(body).security_group_rules
  }
  expect(await list('')).toHaveLength(3)
  expect(await list('direction=egress')).toHaveLength(2)
  const [found] = z.array(rule).parse(await list('protocol=udp&port_range_min=53'))
  const path = `/networking/v2.0/security-group-rules/${found?.id ?? ''}`
  expect((await api.stranger(`DELETE ${path}`)).status).toBe(404)
  expect((await api.member(`DELETE ${path}`)).status).toBe(204)
  expect(faultOf(await api.member(`GET ${path}`))).toEqual([404, 'SecurityGroupRuleNotFound'])
})

test('several groups are made in one request, or none', async () => {
  const body = { security_groups: [{ name: 'a' }, { name: 'b' }] }
  const made = await api.stranger('POST /networking/v2.0/security-groups', { body })
  expect(z.object({ security_groups: z.array(group) }).parse(made.body).security_groups).toHaveLength(2)
  const refused = { security_groups: [{ name: 'c' }, { name: 'default' }] }
  expect((await api.stranger('POST /networking/v2.0/security-groups', { body: refused })).status).toBe(409)
  expect(await groupsNamed('c', api.stranger)).toEqual([])
})

test('a project has no more groups than its quota', async () => {
  const path = '/networking/v2.0/quotas/project-elsewhere'
  expect((await api.member(`GET ${path}`)).status).toBe(403)
  expect((await api.stranger(`PUT ${path}`, { body: { quota: { security_group: 1 } } })).status).toBe(403)
  const { body } = await api.stranger(`GET ${path}/details.json`)
  const quota = z.object({ quota: z.record(z.string(), z.object({ used: z.number(), limit: z.number() })) })
  const { used } = quota.parse(body).quota.security_group ?? { used: -1 }
  const set = await api.admin(`PUT ${path}`, { body: { quota: { security_group: used } } })
  expect(set.body).toMatchObject({ quota: { security_group: used, network: 100 } })
  const refused = await api.stranger('POST /networking/v2.0/security-groups', {
    body: { security_group: { name: 'more' } },
  })
  expect(faultOf(refused)).toEqual([409, 'OverQuota'])
  expect((await api.admin(`DELETE ${path}`)).status).toBe(204)
  expect((await api.stranger(`GET ${path}`)).body).toMatchObject({ quota: { security_group: 10 } })
})

test('tags are put, added, asked for and taken away', async () => {
  const { id } = await makeGroup('tagged')
  const path = `/networking/v2.0/security-groups/${id}/tags`
  expect((await api.member(`PUT ${path}`, { body: { tags: ['red', 'blue', 'red'] } })).body).toEqual({
    tags: ['blue', 'red'],
  })
  expect((await api.member(`PUT ${path}/green`)).status).toBe(201)
  expect((await api.member(`GET ${path}/green`)).status).toBe(204)
  expect((await api.member(`DELETE ${path}/red`)).status).toBe(204)
  expect(faultOf(await api.member(`DELETE ${path}/red`))).toEqual([404, 'TagNotFound'])
  const count = async (query: string): Promise<number> => {
    const { body } = await api.member(`GET /networking/v2.0/security-groups?${query}`)
    return z.object({ security_groups: z.array(group) }).parse(body).security_groups.length
  }
  expect(await count('tags=blue,green')).toBe(1)
  expect(await count('tags=blue,red')).toBe(0)
  expect(await count('tags-any=blue,red')).toBe(1)
  expect((await api.member(`DELETE ${path}`)).status).toBe(204)
  expect((await api.member(`GET ${path}`)).body).toEqual({ tags: [] })
})

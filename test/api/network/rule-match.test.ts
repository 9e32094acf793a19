import { expect, test } from '@jest/globals'
import { letsPass, type Peer } from '../../../api/network/rule-match.ts'
import type { TraceQuery } from '../../../core/trace.ts'
import type { SecurityGroupRuleRow } from '../../../db/tables.ts'

const rule: SecurityGroupRuleRow = {
  id: 'r',
  securityGroupId: 'g',
  projectId: 'p',
  direction: 'ingress',
  ethertype: 'IPv4',
  protocol: null,
  portRangeMin: null,
  portRangeMax: null,
  remoteIpPrefix: null,
  writtenPrefix: null,
  remoteGroupId: null,
  description: '',
  createdAt: new Date(0),
}
const peer: Peer = { address: '10.9.0.1', groupIds: ['friends'] }
const ssh: TraceQuery = { to: 'x', family: 4, protocol: 'tcp', port: 22, arrives: false }
const ping: TraceQuery = { to: 'x', family: 4, protocol: 'icmp', port: 0, arrives: false }

test.each<[string, Partial<SecurityGroupRuleRow>, TraceQuery, boolean]>([
  ['of everything', {}, ssh, true],
  ['of the other family', { ethertype: 'IPv6' }, ssh, false],
  ['of another protocol', { protocol: 'udp' }, ssh, false],
  ['of its protocol by number', { protocol: '6' }, ssh, true],
  ['of a range with its port at the end', { protocol: 'tcp', portRangeMin: 20, portRangeMax: 22 }, ssh, true],
  ['of a range that ends before its port', { protocol: 'tcp', portRangeMin: 20, portRangeMax: 21 }, ssh, false],
  ['of echo requests', { protocol: 'icmp', portRangeMin: 8, portRangeMax: 0 }, ping, true],
  ['of echo answers', { protocol: 'icmp', portRangeMin: 0 }, ping, false],
  ['of a prefix with the peer in it', { remoteIpPrefix: '10.9.0.0/31' }, ssh, true],
  ['of a prefix without the peer', { remoteIpPrefix: '10.9.1.0/24' }, ssh, false],
  ['of a group that the peer has', { remoteGroupId: 'friends' }, ssh, true],
  ['of a group that the peer has not', { remoteGroupId: 'foes' }, ssh, false],
])('a rule %s lets pass what it says', (_what, fields, asked, passes) => {
  expect(letsPass({ ...rule, ...fields }, asked, peer)).toBe(passes)
})

/** What we say to the switch is what ovs-ofctl would have said: both are asked to write the same flows, and the switch tells what it has. */
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { execa } from 'execa'
import type { GroupRule } from '../../../core/network.ts'
import { baseFlows, trunkFlows } from '../../../netns/flows/base.ts'
import type { Flows } from '../../../netns/flows/flow.ts'
import { FlowTable } from '../../../netns/flows/flow-table.ts'
import { groupFlows, memberFlows } from '../../../netns/flows/group.ts'
import { callerFlows, metadataFlows } from '../../../netns/flows/metadata.ts'
import { overlayFlows } from '../../../netns/flows/overlay.ts'
import { portFlows } from '../../../netns/flows/port.ts'
import { group, guest, policy, rule } from '../flows/site.ts'
import { TestHost, until } from '../host.ts'

let host: TestHost
let table: FlowTable

beforeAll(async () => {
  host = await TestHost.start()
  for (const name of ['br-ours', 'br-theirs'])
    await host.vsctl('add-br', name, '--', 'set', 'bridge', name, 'datapath_type=netdev', 'fail_mode=secure')
  table = new FlowTable(join(host.directory, 'br-ours.mgmt'))
})
afterEach(async () => {
  for (const name of ['br-ours', 'br-theirs']) await host.ofctl('del-flows', name)
})
afterAll(async () => {
  table.close()
  await host.stop()
})

async function flowsOf(bridge: string): Promise<readonly string[]> {
  const text = await host.ofctl('dump-flows', bridge, '-O', 'OpenFlow14', '--no-stats', '--no-names')
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean)
    .toSorted()
}

async function sayByOfctl(flows: Flows): Promise<void> {
  const target = `unix:${join(host.directory, 'br-theirs.mgmt')}`
  const input = [...flows].map(([match, actions]) => `${match},actions=${actions}\n`).join('')
  await execa('ovs-ofctl', ['-O', 'OpenFlow14', 'add-flows', target, '-'], { input })
}

const protocols: readonly Partial<GroupRule>[] = [
  { protocol: null },
  { protocol: 'tcp', portMin: 22, portMax: 22 },
  { protocol: 'tcp', portMin: 1000, portMax: 1999 },
  { protocol: 'udp', portMin: 53, portMax: 53, remotePrefix: '10.1.2.3/20' },
  { protocol: 'udp' },
  { protocol: 'sctp', portMin: 7, portMax: 9 },
  { protocol: 'icmp', portMin: 8, portMax: 0 },
  { protocol: 'icmp', portMin: 3 },
  { protocol: '47' },
]

/** All kinds of flows that a host has, of both families. */
function everyFlow(): Flows {
  const rules = protocols.flatMap((what) =>
    ([4, 6] as const).flatMap((family) => {
      const prefix = family === 6 && what.remotePrefix ? { remotePrefix: 'fd00:1:2::5/57' } : {}
      return [rule('ingress', { ...what, family, ...prefix }), rule('egress', { ...what, family, ...prefix })]
    }),
  )
  const one = group(...rules)
  const other = group(rule('ingress', { remoteGroupId: one.id, protocol: 'tcp' }))
  const vif = guest(1, [one, other], {
    security: {
      groupIds: [one.id, other.id],
      addressPairs: [
        { address: '10.9.3.0/28', mac: 'fa:16:3e:99:99:99' },
        { address: 'fd00:77::/48', mac: null },
      ],
    },
  })
  const rulesOf = { policy: policy([one, other]), hostReachesGuests: true }
  return new Map([
    ...baseFlows,
    ...trunkFlows(7, true),
    ...trunkFlows(8, false),
    ...portFlows(vif, { ofport: 101, meter: 101 }, rulesOf),
    ...portFlows(guest(2, [], { security: null }), { ofport: 102, meter: null }, rulesOf),
    ...portFlows(guest(3, [], { isUp: false }), { ofport: 103, meter: null }, rulesOf),
    ...portFlows(guest(4, [one], { vlan: null, vni: 70_000 }), { ofport: 104, meter: null }, rulesOf),
    ...groupFlows(one),
    ...groupFlows(other),
    ...memberFlows(one.id, ['10.9.0.1', '10.8.0.0/16', 'fd00:9::1', 'fd00:8::/32']),
    ...metadataFlows({ ofport: 60_000, mac: '02:00:00:00:ff:fd' }),
    ...callerFlows(vif, 101, { ofport: 60_000, mac: '02:00:00:00:ff:fd' }),
    ...overlayFlows(70_000, { tunnel: 9, isTrusted: true, local: [104, 105], free: [105] }),
  ])
}

test('every kind of flow arrives at the switch as ovs-ofctl would have written it', async () => {
  await table.setMeter(101, { rate: 20_000, burst: 2000 })
  const theirs = `unix:${join(host.directory, 'br-theirs.mgmt')}`
  const meter = 'meter=101,kbps,burst,bands=type=drop,rate=20000,burst_size=2000'
  await execa('ovs-ofctl', ['-O', 'OpenFlow14', 'add-meter', theirs, meter])
  const meters = async (bridge: string): Promise<string> =>
    (await host.ofctl('dump-meters', bridge, '-O', 'OpenFlow14')).split('\n').slice(1).join('\n')
  expect(await meters('br-ours')).toBe(await meters('br-theirs'))
  const flows = everyFlow()
  await Promise.all([table.set(new Map([['all', flows]])), sayByOfctl(flows)])
  const present = await flowsOf('br-ours')
  expect(present.length).toBeGreaterThan(150)
  expect(present).toEqual(await flowsOf('br-theirs'))
  await table.set(new Map([['all', null]]))
  expect(await flowsOf('br-ours')).toEqual([])
})

test('what an agent before this one wrote goes when it settles', async () => {
  await table.setMeter(101, { rate: 20_000, burst: 2000 })
  const flows = everyFlow()
  await table.set(new Map([['all', flows]]))
  const present = await flowsOf('br-ours')
  await table.settle()
  expect(await flowsOf('br-ours')).toEqual(present)
  const successor = new FlowTable(join(host.directory, 'br-ours.mgmt'))
  await successor.settle()
  successor.close()
  expect(await flowsOf('br-ours')).toEqual([])
  await table.set(new Map([['all', null]]))
})

test('one flow that the switch refuses keeps out all that came with it, and the next change goes', async () => {
  const good = 'table=0,priority=1,in_port=5'
  const bad = new Map([
    [good, 'output:6'],
    ['table=0,priority=2,in_port=5', 'meter:999,output:6'],
  ])
  await expect(table.set(new Map([['bad', bad]]))).rejects.toThrow('Open vSwitch did not take flows')
  expect(await flowsOf('br-ours')).toEqual([])
  await table.set(new Map([['good', new Map([['table=0,priority=3,in_port=5', 'output:7']])]]))
  expect(await flowsOf('br-ours')).toEqual([expect.stringContaining('priority=3')])
})

test('a switch that is not there is told with its socket, and is spoken to again when it comes', async () => {
  const later = new FlowTable(join(host.directory, 'br-later.mgmt'))
  const flows = new Map([['one', new Map([['table=0,priority=3,in_port=5', 'output:7']])]])
  try {
    await expect(later.set(flows)).rejects.toThrow('br-later.mgmt')
    await host.vsctl('add-br', 'br-later', '--', 'set', 'bridge', 'br-later', 'datapath_type=netdev')
    await until(() => later.forgetConnections(4).then(() => true))
  } finally {
    later.close()
  }
})

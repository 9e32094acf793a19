import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { execa } from 'execa'
import { openWires } from '../../netns/index.ts'
import { FlowSite, guest, openGroup, policy } from './flows/site.ts'
import { pings, TestHost } from './host.ts'

let host: TestHost
const open = openGroup()
const gateway = { device: 'gwtest', vlan: 100, mtu: 1400, addresses: [{ address: '10.9.0.254', prefixLength: 24 }] }

beforeAll(async () => {
  host = await TestHost.start()
})
afterAll(() => host.stop())

async function kindsOf(kind: string): Promise<string> {
  return (await execa('ip', ['-o', 'link', 'show', 'type', kind])).stdout
}

test('a host that goes over to Open vSwitch keeps its bridges while guests are on them, and then none; back again it has its gateway too', async () => {
  const namespaces = { directory: host.namespaces, guestRootUid: 0 }
  const settings = { ovsSocket: host.socket, bridge: 'br-test', datapath: 'netdev', owner: 'test', namespaces } as const
  const before = new FlowSite(host, await openWires({ ...settings, vifType: 'bridge' }))
  await before.wires.enforce(policy([open]), [])
  const vif = guest(1, [open])
  await before.plug(vif)
  await before.wires.ensureGateway(gateway)
  before.wires.close()
  const between = await openWires(settings)
  between.close()
  expect(await kindsOf('bridge')).toContain('test-v100')
  await before.wires.unplug(vif.portId)
  const after = new FlowSite(host, await openWires(settings))
  try {
    expect(await kindsOf('bridge')).toBe('')
    expect((await execa('nft', ['list', 'tables'])).stdout).toBe('')
    await after.wires.enforce(policy([open]), [])
    await after.wires.ensureGateway(gateway)
    const [path = ''] = await after.plug(vif)
    expect(await pings(path, '10.9.0.254')).toBe(3)
    await after.wires.unplug(vif.portId)
  } finally {
    after.wires.close()
  }
  const back = new FlowSite(host, await openWires({ ...settings, vifType: 'bridge' }))
  try {
    expect(await host.vsctl('list-ports', 'br-test')).not.toContain('gwtest')
    await back.wires.enforce(policy([open]), [])
    await back.wires.ensureGateway(gateway)
    const [path = ''] = await back.plug(vif)
    expect(await pings(path, '10.9.0.254')).toBe(3)
  } finally {
    await back.clear()
    back.wires.close()
  }
}, 30_000)

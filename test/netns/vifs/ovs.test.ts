import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { execa } from 'execa'
import { hostDevice, type Vif } from '../../../core/network.ts'
import { Bridge } from '../../../netns/bridge.ts'
import { ensureNamespace, removeNamespace } from '../../../netns/namespace.ts'
import { firewallOf } from '../../../netns/ovs-switch.ts'
import { ovs, type OvsDetails } from '../../../netns/vifs/ovs.ts'
import { isOnHost, keepsTheVifContract, vifOf } from '../../contracts/vif.ts'
import { inNamespace, pings, TestHost } from '../host.ts'

let host: TestHost
let bridge: Bridge
let details: OvsDetails
const plugged: Vif[] = []

beforeAll(async () => {
  host = await TestHost.start()
  bridge = new Bridge(host.socket, 'br-test', 'test')
  await bridge.ensure('netdev')
  const firewall = firewallOf(host.socket, 'br-test', { hostReachesGuests: true })
  await firewall.open()
  details = { bridge, datapath: 'netdev', firewall }
})

afterEach(async () => {
  for (const vif of plugged.splice(0)) {
    await ovs.unplug(vif.portId, details)
    removeNamespace({ directory: host.namespaces, guestRootUid: 0 }, vif.serverId)
  }
})

afterAll(async () => {
  details.firewall.close()
  await bridge.destroy()
  bridge.close()
  await host.stop()
})

async function plug(vif: Vif): Promise<string> {
  plugged.push(vif)
  const { netnsPath } = await ensureNamespace({ directory: host.namespaces, guestRootUid: 0 }, vif.serverId)
  await ovs.plug(vif, details, netnsPath)
  return netnsPath
}

describe('the vif contract', () => {
  keepsTheVifContract(ovs, () => ({ details, namespaces: host.namespaces }))
})

test('the port carries tag, port id, MAC, server and owner', async () => {
  const vif = vifOf(1, { vlan: 123 })
  await plug(vif)
  const device = hostDevice(vif.portId)
  expect(await host.vsctl('get', 'Port', device, 'tag')).toBe('123')
  expect(await host.vsctl('get', 'Port', device, 'external_ids:owner')).toBe('test')
  expect(await host.vsctl('get', 'Interface', device, 'external_ids:iface-id')).toBe(`"${vif.portId}"`)
  expect(await host.vsctl('get', 'Interface', device, 'external_ids:attached-mac')).toBe(`"${vif.mac}"`)
  expect(await host.vsctl('get', 'Interface', device, 'external_ids:vm-uuid')).toBe(`"${vif.serverId}"`)
})

test('transmit checksum offload is off on both ends under the userspace datapath', async () => {
  const vif = vifOf(1)
  const path = await plug(vif)
  const { stdout } = await execa('ethtool', ['-k', hostDevice(vif.portId)])
  expect(stdout).toContain('tx-checksumming: off')
  expect(await inNamespace(path, 'ethtool', '-k', 'eth0')).toContain('tx-checksumming: off')
})

test('guests reach each other again after a crash of ovs-vswitchd, with nothing plugged anew', async () => {
  const [one, two] = [vifOf(1), vifOf(2)]
  const [from] = await Promise.all([plug(one), plug(two)])
  await host.killSwitch()
  await host.startSwitch()
  expect(await ovs.isPlugged(one, details, from)).toBe(true)
  expect(await pings(from, '10.9.0.2')).toBe(3)
})

test('a vif can be plugged after a restart of the database', async () => {
  const [one, two] = [vifOf(1), vifOf(2)]
  const from = await plug(one)
  await host.stopDatabase()
  await expect(plug(two)).rejects.toThrow('Open vSwitch does not answer')
  await host.startDatabase()
  await plug(two)
  expect(await pings(from, '10.9.0.2')).toBe(3)
})

test('a port that somebody deleted from the switch is seen, and plugging heals it without a new device', async () => {
  const [one, two] = [vifOf(1), vifOf(2)]
  const [from] = await Promise.all([plug(one), plug(two)])
  const before = await inNamespace(from, 'cat', '/proc/net/dev_mcast')
  await host.vsctl('del-port', hostDevice(one.portId))
  expect(await ovs.isPlugged(one, details, from)).toBe(false)
  await plug(one)
  expect(await pings(from, '10.9.0.2')).toBe(3)
  expect(await inNamespace(from, 'cat', '/proc/net/dev_mcast')).toBe(before)
})

test('a port whose tag somebody changed is seen, and plugging gives it back', async () => {
  const vif = vifOf(1)
  const path = await plug(vif)
  await host.vsctl('set', 'Port', hostDevice(vif.portId), 'tag=999')
  expect(await ovs.isPlugged(vif, details, path)).toBe(false)
  await plug(vif)
  expect(await host.vsctl('get', 'Port', hostDevice(vif.portId), 'tag')).toBe('100')
})

test('a port of another owner is neither taken over nor removed', async () => {
  const vif = vifOf(1)
  const device = hostDevice(vif.portId)
  await execa('ip', ['link', 'add', device, 'type', 'veth', 'peer', 'name', 'far'])
  await host.vsctl('add-port', 'br-test', device)
  await expect(plug(vif)).rejects.toThrow('is not ours')
  await expect(ovs.unplug(vif.portId, details)).rejects.toThrow('is not ours')
  expect(await isOnHost(device)).toBe(true)
  expect(await host.vsctl('list-ports', 'br-test')).toContain(device)
  await host.vsctl('del-port', device)
  await execa('ip', ['link', 'delete', device])
})

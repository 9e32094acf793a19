import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { execa } from 'execa'
import { hostDevice, type Vif } from '../../../core/network.ts'
import { BridgeNetworks } from '../../../netns/bridge-networks.ts'
import { LinuxBridges } from '../../../netns/linux-bridges.ts'
import { ensureNamespace, removeNamespace } from '../../../netns/namespace.ts'
import { Guard } from '../../../netns/nft/guard.ts'
import { RuleTable } from '../../../netns/nft/rule-table.ts'
import { bridge, type BridgeDetails } from '../../../netns/vifs/bridge.ts'
import { keepsTheVifContract, vifOf } from '../../contracts/vif.ts'
import { inNamespace, pings, TestHost } from '../host.ts'

let host: TestHost
let details: BridgeDetails
const plugged: Vif[] = []

beforeAll(async () => {
  host = await TestHost.start({ hasSwitch: false })
  const guard = new Guard(new RuleTable('test', null), { hostReachesGuests: true })
  await guard.open()
  details = { networks: new BridgeNetworks(new LinuxBridges('test', null), guard), guard }
})

afterEach(async () => {
  for (const vif of plugged.splice(0)) {
    await bridge.unplug(vif.portId, details)
    removeNamespace({ directory: host.namespaces, guestRootUid: 0 }, vif.serverId)
  }
  await details.networks.sweep()
  const { stdout } = await execa('ip', ['-j', 'link', 'show', 'type', 'bridge'])
  expect(JSON.parse(stdout || '[]')).toEqual([])
})

afterAll(() => host.stop())

async function plug(vif: Vif): Promise<string> {
  plugged.push(vif)
  const { netnsPath } = await ensureNamespace({ directory: host.namespaces, guestRootUid: 0 }, vif.serverId)
  await bridge.plug(vif, details, netnsPath)
  return netnsPath
}

describe('the vif contract', () => {
  keepsTheVifContract(bridge, () => ({ details, namespaces: host.namespaces }))
})

test('a network has a bridge of its own, without an address', async () => {
  const vif = vifOf(1, { vlan: 123 })
  await plug(vif)
  const { stdout } = await execa('ip', ['-o', 'addr', 'show', 'dev', 'test-v123'])
  expect(stdout).toBe('')
  expect(await inNamespace('/proc/self/ns/net', 'ip', '-o', 'link', 'show', hostDevice(vif.portId))).toContain(
    'master test-v123',
  )
})

test('a device that somebody took off its bridge is seen, and plugging it heals it without a new device', async () => {
  const [one, two] = [vifOf(1), vifOf(2)]
  const [from] = await Promise.all([plug(one), plug(two)])
  const before = await inNamespace(from, 'cat', '/proc/net/dev_mcast')
  await execa('ip', ['link', 'set', hostDevice(one.portId), 'nomaster'])
  expect(await bridge.isPlugged(one, details, from)).toBe(false)
  await plug(one)
  expect(await pings(from, '10.9.0.2')).toBe(3)
  expect(await inNamespace(from, 'cat', '/proc/net/dev_mcast')).toBe(before)
})

test('a bridge that somebody deleted is made anew by the next plug', async () => {
  const [one, two] = [vifOf(1), vifOf(2)]
  const [from] = await Promise.all([plug(one), plug(two)])
  await execa('ip', ['link', 'delete', 'test-v100'])
  expect(await bridge.isPlugged(one, details, from)).toBe(false)
  await Promise.all([plug(one), plug(two)])
  expect(await pings(from, '10.9.0.2')).toBe(3)
})

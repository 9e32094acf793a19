/** A machine beyond the uplink is stood for by another switch, at the far end of a cable. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { execa } from 'execa'
import { closeSync, openSync } from 'node:fs'
import { RtNetlink } from '../../netns/rtnetlink.ts'
import { turnOffTxChecksum } from '../../netns/ethtool.ts'
import { whileCapturing } from './flows/capture.ts'
import { FlowSite, guest, openGroup, policy } from './flows/site.ts'
import { inNamespace, pings, until } from './host.ts'
import { isOnHost } from '../contracts/vif.ts'

let site: FlowSite
const open = openGroup()

beforeAll(async () => {
  site = await FlowSite.start()
  await site.wires.enforce(policy([open]), [])
})
afterEach(() => site.clear())
afterAll(() => site.stop())

/** A machine with this address, on a VLAN of the switch beyond the cable. @returns the path of its namespace */
async function machineBeyond(vlan: number, address: string): Promise<string> {
  const { netnsPath } = await site.wires.ensureNamespace(`beyond-${vlan}`)
  const device = `far${vlan}`
  using outside = new RtNetlink(null)
  const descriptor = openSync(netnsPath, 'r')
  try {
    await outside.createVeth(
      { host: device, guest: 'eth0', guestMac: `0a:00:00:00:0${vlan / 100}:01`, mtu: 1400 },
      descriptor,
    )
  } finally {
    closeSync(descriptor)
  }
  turnOffTxChecksum(device, null)
  turnOffTxChecksum('eth0', netnsPath)
  await inNamespace(netnsPath, 'ip', 'address', 'add', `${address}/24`, 'dev', 'eth0')
  await inNamespace(netnsPath, 'ip', 'link', 'set', 'eth0', 'up')
  await site.host.vsctl('add-port', 'br-far', device, `tag=${vlan}`)
  return netnsPath
}

test('guests sit in the VLANs that the uplink carries, and in no other', async () => {
  await execa('ip', ['link', 'add', 'nic0', 'type', 'veth', 'peer', 'name', 'cable0'])
  await execa('ip', ['link', 'set', 'cable0', 'up'])
  turnOffTxChecksum('cable0', null)
  await site.host.vsctl('add-br', 'br-far', '--', 'set', 'bridge', 'br-far', 'datapath_type=netdev')
  await site.host.vsctl('add-port', 'br-far', 'cable0')
  await site.wires.ensureUplink('nic0')
  await site.wires.ensureUplink('nic0')
  await site.wires.openTrunks(false)
  const [beyond, elsewhere] = [await machineBeyond(100, '10.9.0.101'), await machineBeyond(200, '10.9.0.102')]
  const one = guest(1, [open])
  const [path = ''] = await site.plug(one)
  const mac = one.mac.replaceAll(':', '')
  const said = (frames: string): readonly string[] => frames.split('\n').filter((frame) => frame.slice(12, 24) === mac)
  const onCable = await whileCapturing(
    null,
    async (seen) => {
      await until(async () => (await pings(path, '10.9.0.101')) === 3)
      await until(() => said(seen()).length > 0)
    },
    'cable0',
  )
  // 802.1Q, tag 100: nothing of it leaves without.
  expect(new Set(said(onCable).map((frame) => frame.slice(24, 32)))).toEqual(new Set(['81000064']))
  expect(await Promise.all([pings(beyond, '10.9.0.1'), pings(elsewhere, '10.9.0.1')])).toEqual([3, 0])
  expect(await pings(path, '10.9.0.102')).toBe(0)

  await site.wires.leaveUplinks('nic0')
  expect(await pings(path, '10.9.0.101')).toBe(3)
  await site.wires.leaveUplinks(null)
  expect(await pings(path, '10.9.0.101')).toBe(0)
  expect(await site.host.vsctl('list-ports', 'br-test')).not.toContain('nic0')
  expect(await isOnHost('nic0')).toBe(true)
}, 60_000)

test('an uplink that the machine has not is named', async () => {
  await expect(site.wires.ensureUplink('nic9')).rejects.toThrow('uplink nic9: there is no such device')
})

/** Linux bridges and the machine's own networks; a machine beyond the uplink is stood for by a namespace at the far end of a cable. */
import { existsSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { execa } from 'execa'
import { FlowSite, guest, openGroup, policy } from './flows/site.ts'
import { inNamespace, pings, until } from './host.ts'

let site: FlowSite
let beyond: string
const open = openGroup()
const hasVlans = existsSync('/proc/net/vlan')

beforeAll(async () => {
  site = await FlowSite.start('bridge')
  await site.wires.enforce(policy([open]), [])
  beyond = (await site.wires.ensureNamespace('beyond')).netnsPath
  await execa('ip', ['link', 'add', 'nic0', 'type', 'veth', 'peer', 'name', 'cable0', 'netns', beyond])
  await inNamespace(beyond, 'ip', 'address', 'add', '10.9.0.101/24', 'dev', 'cable0')
  await inNamespace(beyond, 'ip', 'link', 'set', 'cable0', 'up')
  await site.wires.ensureUplink('nic0')
  await site.wires.openTrunks(false)
})
afterEach(async () => {
  for (const { portId } of await site.wires.list()) await site.wires.unplug(portId)
})
afterAll(async () => {
  await site.clear()
  await site.stop()
})

test('a guest of a flat network and a machine beyond the uplink reach each other; one of a network in tunnels does not', async () => {
  const [path = '', apart = ''] = await site.plug(
    guest(1, [open], { vlan: null }),
    guest(2, [open], { vlan: null, vni: 77 }),
  )
  await until(async () => (await pings(path, '10.9.0.101')) === 3)
  expect([await pings(beyond, '10.9.0.1'), await pings(apart, '10.9.0.101')]).toEqual([3, 0])
}, 60_000)

const vlans = hasVlans
  ? 'a guest of a VLAN is in that of the uplink, and in no other'
  : 'where the kernel has no VLANs a guest of one is not plugged into an uplink, with the remedy told'
test(
  vlans,
  async () => {
    const tagged = guest(3, [open], { vlan: 100 })
    if (!hasVlans) {
      await expect(site.plug(tagged)).rejects.toThrow(
        /uplink nic0: this kernel has no 802\.1Q.*VLAN 100.*modprobe 8021q/,
      )
      return
    }
    const add = ['link', 'add', 'link', 'cable0', 'name', 'far100', 'type', 'vlan', 'id', '100']
    await inNamespace(beyond, 'ip', ...add)
    await inNamespace(beyond, 'ip', 'address', 'add', '10.9.0.102/24', 'dev', 'far100')
    await inNamespace(beyond, 'ip', 'link', 'set', 'far100', 'up')
    const [path = ''] = await site.plug(tagged)
    await until(async () => (await pings(path, '10.9.0.102')) === 3)
    expect(await pings(path, '10.9.0.101')).toBe(0)
  },
  60_000,
)

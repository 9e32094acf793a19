/** Two hosts that know of each other only by an address: the second stands in a namespace of its own. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { execa } from 'execa'
import type { Vif } from '../../core/network.ts'
import { turnOffTxChecksum } from '../../netns/ethtool.ts'
import { openWires, type Wires } from '../../netns/index.ts'
import { ensureNamespace, removeNamespace } from '../../netns/namespace.ts'
import { FlowSite, group, guest, openGroup, policy, reaches, rule, whileEchoing } from './flows/site.ts'
import { inNamespace, pings } from './host.ts'

const open = openGroup()
const out = group(rule('egress'))
const mtu = 1450

describe.each(['ovs', 'bridge'] as const)('%s', (vifType) => {
  let near: FlowSite
  let far: Wires
  let farHost: string

  beforeAll(async () => {
    near = await FlowSite.start(vifType)
    const directory = `${near.host.directory}/hosts`
    farHost = (await ensureNamespace({ directory, guestRootUid: 0 }, 'far')).netnsPath
    await execa('ip', ['link', 'add', 'under', 'type', 'veth', 'peer', 'name', 'under', 'netns', farHost])
    await execa('ip', ['addr', 'add', '192.0.2.1/24', 'dev', 'under'])
    await execa('ip', ['link', 'set', 'under', 'up'])
    await inNamespace(farHost, 'ip', 'addr', 'add', '192.0.2.2/24', 'dev', 'under')
    await inNamespace(farHost, 'ip', 'link', 'set', 'under', 'up')
    // The kernel would leave checksums to a wire that is none.
    turnOffTxChecksum('under', null)
    turnOffTxChecksum('under', farHost)
    far = await openWires({
      vifType: 'bridge',
      ovsSocket: `${near.host.directory}/none.sock`,
      bridge: '',
      datapath: 'netdev',
      owner: 'far',
      switchNamespace: farHost,
      namespaces: { directory: `${near.host.directory}/far`, guestRootUid: 0 },
    })
    expect(await far.tunnelMtu('192.0.2.2')).toBe(mtu)
    await near.wires.setTunnels({ local: '192.0.2.1', remotes: ['192.0.2.2'], mtu })
    await far.setTunnels({ local: '192.0.2.2', remotes: ['192.0.2.1'], mtu })
    for (const wires of [near.wires, far]) await wires.enforce(policy([open, out]), [])
  })

  afterEach(async () => {
    await near.clear()
    for (const { portId } of await far.list()) await far.unplug(portId)
    for (const serverId of far.listNamespaces()) await far.removeNamespace(serverId)
    for (const wires of [near.wires, far]) await wires.settle()
    expect((await execa('ip', ['-o', 'link', 'show', 'type', 'vxlan'])).stdout).toBe('')
  })

  afterAll(async () => {
    far.close()
    removeNamespace({ directory: `${near.host.directory}/hosts`, guestRootUid: 0 }, 'far')
    await near.stop()
  })

  function inTunnel(last: number, groups = [open], vni = 5000): Vif {
    return guest(last, groups, { vlan: null, vni, mtu })
  }

  async function plugFar(vif: Vif): Promise<string> {
    const namespace = await far.ensureNamespace(vif.serverId)
    await far.plug(vif, namespace)
    return namespace.netnsPath
  }

  test('guests of one network reach each other on two hosts and on one, over IPv4 and IPv6; those of another do not', async () => {
    const [one = '', two = '', other = ''] = await near.plug(inTunnel(1), inTunnel(2), inTunnel(4, [open], 6000))
    const three = await plugFar(inTunnel(3))
    expect(await Promise.all([pings(one, '10.9.0.3'), pings(three, '10.9.0.2'), pings(one, '10.9.0.2')])).toEqual([
      3, 3, 3,
    ])
    expect(await Promise.all([pings(two, 'fd00:9::3'), pings(other, '10.9.0.3'), pings(other, '10.9.0.1')])).toEqual([
      3, 0, 0,
    ])
  })

  test('a packet of the whole MTU passes undivided, and one byte more does not', async () => {
    const [one = ''] = await near.plug(inTunnel(1))
    await plugFar(inTunnel(3))
    const headers = 28
    const sized = async (bytes: number): Promise<boolean> =>
      !(
        await execa(
          'nsenter',
          [`--net=${one}`, 'ping', '-M', 'do', '-c', '2', '-W', '2', '-s', String(bytes), '10.9.0.3'],
          {
            reject: false,
          },
        )
      ).failed
    expect([await sized(mtu - headers), await sized(mtu - headers + 1)]).toEqual([true, false])
  })

  test('security groups hold between hosts, and TCP passes where they let it', async () => {
    const [one = ''] = await near.plug(inTunnel(1, [out]))
    const three = await plugFar(inTunnel(3))
    expect(await Promise.all([pings(three, '10.9.0.1'), pings(one, '10.9.0.3')])).toEqual([0, 3])
    const at = { path: three, address: '10.9.0.3', port: 7000 }
    expect(await whileEchoing(at, () => reaches(one, '10.9.0.3', 7000))).toBe(true)
  })

  test('the host reaches a guest of the other host through the gateway of its network', async () => {
    const address = { address: '10.9.0.254', prefixLength: 24 }
    await near.wires.ensureGateway({ device: 'gw-test', vlan: null, vni: 5000, mtu, addresses: [address] })
    await far.openTrunks(true)
    await plugFar(inTunnel(3, [out]))
    expect(await pings(null, '10.9.0.3')).toBe(3)
  })
})

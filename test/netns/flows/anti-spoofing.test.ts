/** A guest has NET_RAW and may put any frame on its wire: each of these is put there for real. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import type { Vif } from '../../../core/network.ts'
import { linkLocal } from '../../../netns/sender.ts'
import { until } from '../host.ts'
import { arpReply, dhcp6Answer, icmp6, mark, tagged, udp4 } from './frames.ts'
import { FlowSite, guest, heard, openGroup, policy, send } from './site.ts'

const group = openGroup()
const other = { mac: 'fa:16:3e:99:99:99', v4: '10.9.0.99', v6: 'fd00:9::99' }

function whoIs({ mac, addresses }: Vif): { readonly mac: string; readonly v4: string; readonly v6: string } {
  return { mac, v4: addresses[0]?.address ?? '', v6: addresses[1]?.address ?? '' }
}

/** By name: what a liar sends, and what an honest guest may send. */
function framesOf(one: Vif, two: Vif): Readonly<Record<'forged' | 'honest', Readonly<Record<string, Buffer>>>> {
  const [me, to] = [whoIs(one), whoIs(two)]
  const local = linkLocal(me.mac)
  return {
    forged: {
      mac: udp4(to, other.mac, { from: me.v4, source: 5 }),
      ipv4: udp4(to, me.mac, { from: other.v4, source: 5 }),
      arpSender: arpReply(to, me.mac, { sha: me.mac, spa: other.v4 }),
      arpHardware: arpReply(to, me.mac, { sha: other.mac, spa: me.v4 }),
      arpMac: arpReply(to, other.mac, { sha: other.mac, spa: me.v4 }),
      ipv6: icmp6(to, me.mac, { from: other.v6, type: 128, target: to.v6 }),
      neighbourAdvertisement: icmp6(to, me.mac, { from: me.v6, type: 136, target: other.v6 }),
      neighbourSolicitation: icmp6(to, me.mac, { from: other.v6, type: 135, target: to.v6 }),
      routerAdvertisement: icmp6(to, me.mac, { from: local, type: 134, target: to.v6 }),
      redirect: icmp6(to, me.mac, { from: local, type: 137, target: to.v6 }),
      dhcpServer: udp4(to, me.mac, { from: me.v4, source: 67 }),
      dhcp6Server: dhcp6Answer(to, me.mac, local),
      vlanTag: tagged(udp4(to, me.mac, { from: me.v4, source: 6 }), 100),
    },
    honest: {
      ipv4: udp4(to, me.mac, { from: me.v4, source: 5 }),
      arp: arpReply(to, me.mac, { sha: me.mac, spa: me.v4 }),
      neighbourAdvertisement: icmp6(to, me.mac, { from: me.v6, type: 136, target: me.v6 }),
      neighbourSolicitation: icmp6(to, me.mac, { from: local, type: 135, target: to.v6 }),
    },
  }
}

describe.each(['ovs', 'bridge'] as const)('%s', (vifType) => {
  let site: FlowSite

  beforeAll(async () => {
    site = await FlowSite.start(vifType)
    await site.wires.enforce(policy([group]), [])
  })
  afterEach(() => site.clear())
  afterAll(() => site.stop())

  /** Names of those of these frames that come out at the second guest, when the first sends them all. */
  async function passing(
    [from, to]: readonly [string, string],
    frames: Readonly<Record<string, Buffer>>,
  ): Promise<readonly string[]> {
    const names = Object.keys(frames)
    const plain = Object.values(frames).map((frame) => frame.toString('hex'))
    const marked = Object.values(frames).map((frame, index) => Buffer.concat([frame, mark(index)]))
    // A bridge that looks into packets cuts off what stands behind them.
    const isIn = (texts: readonly string[], index: number): boolean =>
      texts.some((text) => text === plain[index] || text.endsWith(mark(index).toString('hex')))
    const seen = await heard(to, async (soFar) => {
      await send(from, marked)
      // Frames come in the order that they went: behind the last, an honest one, none is still to come.
      await until(() => isIn(soFar, names.length - 1))
    })
    return names.filter((_name, index) => isIn(seen, index))
  }

  async function pair(one: Vif, two: Vif): Promise<readonly [string, string]> {
    const [from = '', to = ''] = await site.plug(one, two)
    return [from, to]
  }

  test('forged MAC, IPv4, ARP, IPv6 and neighbour frames, router and DHCP answers and tags are dropped; honest ones pass', async () => {
    const [one, two] = [guest(1, [group]), guest(2, [group])]
    const { forged, honest } = framesOf(one, two)
    const passed = await passing(await pair(one, two), {
      ...Object.fromEntries(Object.entries(forged).map(([name, frame]) => [`forged ${name}`, frame])),
      ...honest,
    })
    expect(passed).toEqual(Object.keys(honest))
  })

  test('where port security is off the same frames pass, but for the tag', async () => {
    const [one, two] = [guest(1, [], { security: null }), guest(2, [], { security: null })]
    const { forged, honest } = framesOf(one, two)
    const { vlanTag, ...rest } = forged
    expect(await passing(await pair(one, two), { vlanTag: vlanTag ?? Buffer.alloc(0), ...rest, ...honest })).toEqual([
      ...Object.keys(rest),
      ...Object.keys(honest).filter((name) => !(name in rest)),
    ])
  })

  test('a port sends from the addresses of its allowed pairs, under its own MAC or theirs', async () => {
    const addressPairs = [
      { address: '10.9.0.64/28', mac: null },
      { address: '10.9.0.99', mac: other.mac },
    ]
    const one = guest(1, [group], { security: { groupIds: [group.id], addressPairs } })
    const two = guest(2, [group])
    const [me, to] = [whoIs(one), whoIs(two)]
    const passed = await passing(await pair(one, two), {
      outside: udp4(to, me.mac, { from: '10.9.0.80', source: 5 }),
      wrongMac: udp4(to, me.mac, { from: other.v4, source: 5 }),
      inside: udp4(to, me.mac, { from: '10.9.0.79', source: 5 }),
      arp: arpReply(to, other.mac, { sha: other.mac, spa: other.v4 }),
      otherMac: udp4(to, other.mac, { from: other.v4, source: 5 }),
    })
    expect(passed).toEqual(['inside', 'arp', 'otherMac'])
  })
})

/** What reaches a guest's device at all, whatever its own stack would make of it: captured by tcpdump in the guest. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import type { Vif } from '../../../core/network.ts'
import { until } from '../host.ts'
import { linkLocal } from '../../../netns/sender.ts'
import { whileCapturing } from './capture.ts'
import { arpReply, icmp6, mark, udp4 } from './frames.ts'
import { FlowSite, guest, openGroup, policy, send } from './site.ts'

const group = openGroup()
const everybody = 'ff:ff:ff:ff:ff:ff'

function whoIs({ mac, addresses }: Vif): { readonly mac: string; readonly v4: string; readonly v6: string } {
  return { mac, v4: addresses[0]?.address ?? '', v6: addresses[1]?.address ?? '' }
}

describe('ovs alone', () => {
  let site: FlowSite

  beforeAll(async () => {
    site = await FlowSite.start()
    await site.wires.enforce(policy([group]), [])
  })
  afterEach(() => site.clear())
  afterAll(() => site.stop())

  test('who seeks a router is heard by those who may be one, and by no other guest', async () => {
    const [one, two] = [guest(1, [group]), guest(2, [group])]
    const [from = '', to = ''] = await site.plug(one, two)
    const me = whoIs(one)
    const about = (type: number): Buffer =>
      icmp6({ mac: '33:33:00:00:00:02', v4: '', v6: 'ff02::2' }, me.mac, {
        from: linkLocal(me.mac),
        type,
        target: me.v6,
      })
    const [solicitation, question] = [about(133), about(135)].map((frame) => frame.toString('hex'))
    const heardAt = async (path: string, wanted: string): Promise<string> =>
      await whileCapturing(path, async (seen) => {
        await send(from, [about(133), about(135)])
        await until(() => seen().includes(wanted))
      })
    expect(await heardAt(to, question ?? '')).not.toContain(solicitation)
    const [router = ''] = await site.plug(guest(3, [], { security: null }))
    await heardAt(router, solicitation ?? '')
  })
})

describe.each(['ovs', 'bridge'] as const)('%s', (vifType) => {
  let site: FlowSite

  beforeAll(async () => {
    site = await FlowSite.start(vifType)
    await site.wires.enforce(policy([group]), [])
  })
  afterEach(() => site.clear())
  afterAll(() => site.stop())

  test('a guest captures what its own network says to it and to all, and nothing of a network of the same addresses', async () => {
    const [one, two] = [guest(1, [group], { vlan: 100 }), guest(2, [group], { vlan: 100 })]
    const stranger = guest(1, [group], { vlan: 200 })
    const [from = '', to = '', beside = ''] = await site.plug(one, two, stranger)
    const [me, target, alien] = [whoIs(one), whoIs(two), whoIs(stranger)]
    const says = (who: typeof me, number: number): readonly Buffer[] =>
      [
        arpReply({ ...target, mac: everybody }, who.mac, { sha: who.mac, spa: who.v4 }),
        udp4(target, who.mac, { from: who.v4, source: 5 }),
      ].map((frame, index) => Buffer.concat([frame, mark(number + index)]))
    const seen = await whileCapturing(to, async (soFar) => {
      await send(beside, says(alien, 1))
      await send(from, says(me, 3))
      const hasCome = (mac: string): boolean =>
        soFar().includes(`${everybody}${mac}0806`.replaceAll(':', '')) &&
        soFar().includes(`${target.mac}${mac}0800`.replaceAll(':', ''))
      await until(() => hasCome(me.mac))
    })
    expect(seen).not.toContain(alien.mac.replaceAll(':', ''))
  })
})

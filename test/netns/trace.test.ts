import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import type { Vif } from '../../core/network.ts'
import type { TracedPacket, TraceVerdict } from '../../netns/index.ts'
import { FlowSite, group, guest, openGroup, policy, rule } from './flows/site.ts'
import { pings } from './host.ts'

let site: FlowSite
const open = openGroup()
const ssh = group(rule('ingress', { protocol: 'tcp', portMin: 22, portMax: 22 }))
const members = group(
  rule('ingress', { remoteGroupId: open.id }),
  rule('ingress', { protocol: 'icmp', remotePrefix: '10.9.0.128/25' }),
)

async function trace(from: Vif, to: Vif, what: Partial<TracedPacket> = {}): Promise<TraceVerdict | null> {
  const end = ({ mac, addresses }: Vif): TracedPacket['from'] => ({ mac, address: addresses[0]?.address ?? '' })
  return await site.wires.trace(from.portId, { protocol: 'icmp', port: 0, from: end(from), to: end(to), ...what })
}

describe.each(['ovs', 'bridge'] as const)('under VIF type %s', (vifType) => {
  beforeAll(async () => {
    site = await FlowSite.start(vifType)
    await site.wires.enforce(policy([open, ssh, members], { [open.id]: ['10.9.0.1'] }), [])
  })
  afterEach(() => site.clear())
  afterAll(() => site.stop())

  test('a trace ends where the packet does: let in, not let in, not let out, or of a false sender', async () => {
    const [one, two] = [guest(1, [open]), guest(2, [ssh])]
    const [from = '', to = ''] = await site.plug(one, two)
    expect(await trace(one, two, { protocol: 'tcp', port: 22 })).toMatchObject({ passes: true })
    expect(await trace(one, two)).toEqual({ passes: false, stage: 'ingressVerdict' })
    expect(await pings(from, '10.9.0.2')).toBe(0)
    expect(await trace(two, one)).toEqual({ passes: false, stage: 'egressVerdict' })
    expect(await pings(to, '10.9.0.1')).toBe(0)
    const liar = { mac: one.mac, address: '10.9.0.77' }
    expect(await trace(one, two, { from: liar })).toEqual({ passes: false, stage: 'sender' })
  })

  test('IPv6 is traced as IPv4 is', async () => {
    const [one, two] = [guest(1, [open]), guest(2, [open])]
    await site.plug(one, two)
    const [from, to] = [
      { mac: one.mac, address: 'fd00:9::1' } as const,
      { mac: two.mac, address: 'fd00:9::2' } as const,
    ]
    expect(await trace(one, two, { from, to })).toMatchObject({ passes: true })
  })

  test('a port that is not plugged is not traced', async () => {
    await expect(trace(guest(1, [open]), guest(2, [open]))).rejects.toThrow('not plugged')
  })

  test('a trace asks who is in a group, and whose prefix an address has', async () => {
    const [one, two, three] = [guest(1, [open]), guest(130, [open]), guest(3, [members])]
    await site.plug(one, two, three)
    expect(await trace(one, three, { protocol: 'udp', port: 53 })).toMatchObject({ passes: true })
    expect(await trace(two, three, { protocol: 'udp', port: 53 })).toEqual({ passes: false, stage: 'ingressVerdict' })
    expect(await trace(two, three)).toMatchObject({ passes: true })
  })
})

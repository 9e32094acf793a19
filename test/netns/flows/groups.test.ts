import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { execa } from 'execa'
import type { SecurityGroup, Vif } from '../../../core/network.ts'
import { openWires } from '../../../netns/index.ts'
import { pings, until } from '../host.ts'
import { FlowSite, group, guest, openGroup, policy, reaches, rule, Talk, whileEchoing } from './site.ts'

/** Milliseconds of a change on a machine that is busy with something else; at rest it is a tenth. */
const busyMs = 3000
const open = openGroup()
const out = group(rule('egress'), rule('egress', { family: 6 }))

/** A guest of the open group, and one of these: the paths of their namespaces. */
async function openAnd(site: FlowSite, groups: readonly SecurityGroup[]): Promise<readonly [string, string]> {
  await site.wires.enforce(policy([open, ...groups]), [])
  const [from = '', to = ''] = await site.plug(guest(1, [open]), guest(2, groups))
  return [from, to]
}

describe.each(['ovs', 'bridge'] as const)('%s', (vifType) => {
  let site: FlowSite

  beforeAll(async () => {
    site = await FlowSite.start(vifType)
  })
  afterEach(() => site.clear())
  afterAll(() => site.stop())

  test('members of a default group reach each other and everybody; who is no member reaches none of them', async () => {
    const base = group(rule('egress'))
    const id = base.id
    const members: SecurityGroup = { ...base, rules: [...base.rules, rule('ingress', { remoteGroupId: id })] }
    await site.wires.enforce(policy([open, members], { [id]: ['10.9.0.1', '10.9.0.2'] }), [])
    const [one = '', two = '', stranger = ''] = await site.plug(
      guest(1, [members]),
      guest(2, [members]),
      guest(3, [open]),
    )
    expect(await Promise.all([pings(one, '10.9.0.2'), pings(two, '10.9.0.1'), pings(one, '10.9.0.3')])).toEqual([
      3, 3, 3,
    ])
    expect(await pings(stranger, '10.9.0.1')).toBe(0)
  })

  test('a guest of no group hears nobody and is heard by nobody', async () => {
    const [from, to] = await openAnd(site, [])
    expect(await Promise.all([pings(from, '10.9.0.2'), pings(to, '10.9.0.1')])).toEqual([0, 0])
  })

  test('a port range lets in what is inside and nothing else', async () => {
    const [from, to] = await openAnd(site, [
      group(rule('ingress', { protocol: 'tcp', portMin: 7001, portMax: 7006 })),
      out,
    ])
    const asked = async (port: number): Promise<boolean> =>
      await whileEchoing({ path: to, address: '10.9.0.2', port }, () => reaches(from, '10.9.0.2', port))
    expect(await asked(7000)).toBe(false)
    expect(await asked(7001)).toBe(true)
    expect(await asked(7006)).toBe(true)
    expect(await asked(7007)).toBe(false)
    expect(await pings(from, '10.9.0.2')).toBe(0)
  })

  test('ICMP is let in by its type', async () => {
    const [from, to] = await openAnd(site, [group(rule('ingress', { protocol: 'icmp', portMin: 8, portMax: 0 })), out])
    expect(await pings(from, '10.9.0.2')).toBe(3)
    const refused = await whileEchoing({ path: to, address: '10.9.0.2', port: 7000 }, () =>
      reaches(from, '10.9.0.2', 7000),
    )
    expect(refused).toBe(false)
  })

  test('rules of IPv6 are for IPv6 alone', async () => {
    const [from, to] = await openAnd(site, [
      group(rule('ingress', { family: 6, protocol: 'tcp', portMin: 22, portMax: 22 })),
      out,
    ])
    const v6 = await whileEchoing({ path: to, address: 'fd00:9::2', port: 22 }, () => reaches(from, 'fd00:9::2', 22))
    const v4 = await whileEchoing({ path: to, address: '10.9.0.2', port: 22 }, () => reaches(from, '10.9.0.2', 22))
    expect([v6, v4]).toEqual([true, false])
    expect(await Promise.all([pings(from, 'fd00:9::2'), pings(to, 'fd00:9::1')])).toEqual([0, 3])
  })

  test('a prefix lets in who is inside', async () => {
    const inside = group(rule('ingress', { protocol: 'icmp', remotePrefix: '10.9.0.0/31' }), rule('egress'))
    await site.wires.enforce(policy([open, inside]), [])
    const [near = '', far = ''] = await site.plug(guest(1, [open]), guest(3, [open]), guest(2, [inside]))
    expect(await Promise.all([pings(near, '10.9.0.2'), pings(far, '10.9.0.2')])).toEqual([3, 0])
  })

  test('a guest sends only what its egress rules say, and answers whoever may ask', async () => {
    const narrow = group(rule('ingress'), rule('egress', { protocol: 'tcp', portMin: 7000, portMax: 7000 }))
    const [from, to] = await openAnd(site, [narrow])
    expect(await Promise.all([pings(from, '10.9.0.2'), pings(to, '10.9.0.1')])).toEqual([3, 0])
    const [allowed, refused] = [7000, 7001].map((port) =>
      whileEchoing({ path: from, address: '10.9.0.1', port }, () => reaches(to, '10.9.0.1', port)),
    )
    expect(await Promise.all([allowed, refused])).toEqual([true, false])
  })

  test('a revoked rule cuts the open connection at once, and leaves the others without a gap', async () => {
    const seven = rule('ingress', { protocol: 'tcp', portMin: 7000, portMax: 7000 })
    const eight = rule('ingress', { protocol: 'tcp', portMin: 8000, portMax: 8000 })
    const before: SecurityGroup = { ...group(seven, eight) }
    await site.wires.enforce(policy([open, before, out]), [])
    const vifs: readonly Vif[] = [guest(1, [open]), guest(2, [before, out])]
    const [from = '', to = ''] = await site.plug(...vifs)
    await whileEchoing({ path: to, address: '10.9.0.2', port: 7000 }, () =>
      whileEchoing({ path: to, address: '10.9.0.2', port: 8000 }, async () => {
        const [cut, kept] = [new Talk(from, '10.9.0.2', 7000), new Talk(from, '10.9.0.2', 8000)]
        try {
          await until(() => cut.answers > 20 && kept.answers > 20)
          const start = performance.now()
          await site.wires.enforce(policy([open, { ...before, rules: [eight] }, out]), vifs)
          expect(performance.now() - start).toBeLessThan(busyMs)
          await until(() => cut.isSilent)
          const [answers, told] = [cut.answers, kept.answers]
          await until(() => kept.answers > told + 50)
          expect(cut.answers).toBe(answers)
          expect(kept.longestGapMs).toBeLessThan(busyMs)
          await site.wires.enforce(policy([open, before, out]), vifs)
          await until(() => !cut.isSilent && cut.answers > answers)
        } finally {
          await Promise.all([cut.end(), kept.end()])
        }
      }),
    )
  })

  test('the host reaches the guests through its gateway, whatever their groups say', async () => {
    const gateway = {
      device: 'gw-test',
      vlan: 100,
      mtu: 1400,
      addresses: [{ address: '10.9.0.254', prefixLength: 24 }],
    }
    await site.wires.ensureGateway(gateway)
    const [, to] = await openAnd(site, [out])
    expect(await pings(null, '10.9.0.2')).toBe(3)
    const said = await whileEchoing({ path: to, address: '10.9.0.2', port: 22 }, () => reaches(null, '10.9.0.2', 22))
    expect(said).toBe(true)
  })

  test('a port that is taken down hears nobody and is heard by nobody, the host too, until it is up again', async () => {
    const gateway = {
      device: 'gw-test',
      vlan: 100,
      mtu: 1400,
      addresses: [{ address: '10.9.0.254', prefixLength: 24 }],
    }
    await site.wires.ensureGateway(gateway)
    const [one, two] = [guest(1, [open]), guest(2, [open])]
    const [from = '', to = ''] = await site.plug(one, two)
    const answers = async (): Promise<readonly number[]> =>
      await Promise.all([pings(from, '10.9.0.2'), pings(to, '10.9.0.1'), pings(null, '10.9.0.2')])
    expect(await answers()).toEqual([3, 3, 3])
    await site.wires.enforce(policy([open]), [one, { ...two, isUp: false }])
    expect(await answers()).toEqual([0, 0, 0])
    await site.wires.enforce(policy([open]), [one, { ...two, isUp: true }])
    expect(await answers()).toEqual([3, 3, 3])
  })
})

describe('ovs alone', () => {
  let site: FlowSite
  beforeAll(async () => {
    site = await FlowSite.start()
  })
  afterEach(() => site.clear())
  afterAll(() => site.stop())

  test('flows come back by themselves after a crash of ovs-vswitchd, and nothing passes meanwhile that may not', async () => {
    const [from, to] = await openAnd(site, [out])
    await site.host.killSwitch()
    await site.host.startSwitch()
    await until(async () => (await pings(to, '10.9.0.1')) === 3, 60_000)
    expect(await pings(from, '10.9.0.2')).toBe(0)
  }, 120_000)

  test('flows that nobody asked for are gone when the wires settle', async () => {
    const [from] = await openAnd(site, [out])
    await site.host.ofctl('add-flow', 'br-test', 'table=0,priority=65535,actions=NORMAL')
    expect(await pings(from, '10.9.0.2')).toBe(3)
    await site.wires.settle()
    expect(await pings(from, '10.9.0.2')).toBe(0)
  })
})

describe('bridge alone', () => {
  let site: FlowSite
  beforeAll(async () => {
    site = await FlowSite.start('bridge')
  })
  afterEach(() => site.clear())
  afterAll(() => site.stop())

  test('rules that somebody took away or added are put right when the wires settle', async () => {
    const [from] = await openAnd(site, [out])
    await execa('nft', ['flush', 'chain', 'bridge', 'test', 'hears'])
    expect(await pings(from, '10.9.0.2')).toBe(3)
    await site.wires.settle()
    expect(await pings(from, '10.9.0.2')).toBe(0)
  })

  test('a rule set that somebody flushed comes back with the next change', async () => {
    const [from, to] = await openAnd(site, [out])
    await execa('nft', ['flush', 'ruleset'])
    await site.plug(guest(3, [open]))
    expect(await Promise.all([pings(from, '10.9.0.2'), pings(to, '10.9.0.1'), pings(from, '10.9.0.3')])).toEqual([
      0, 3, 3,
    ])
  })

  test('an agent that comes anew finds the rules of the one before, and they hold meanwhile', async () => {
    const settings = { ovsSocket: site.host.socket, bridge: 'br-test', datapath: 'netdev', owner: 'test' } as const
    const [one, two] = [guest(1, [open]), guest(2, [out])]
    await site.wires.enforce(policy([open, out]), [])
    const [from = '', to = ''] = await site.plug(one, two)
    const namespaces = { directory: site.host.namespaces, guestRootUid: 0 }
    const next = await openWires({ ...settings, vifType: 'bridge', namespaces })
    try {
      expect(await Promise.all([pings(from, '10.9.0.2'), pings(to, '10.9.0.1')])).toEqual([0, 3])
      await next.enforce(policy([open, out]), [one, two])
      await next.settle()
      expect(await Promise.all([pings(from, '10.9.0.2'), pings(to, '10.9.0.1')])).toEqual([0, 3])
    } finally {
      next.close()
    }
  })
})

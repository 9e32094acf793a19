/** A host with as many guests as it may have: 500 under `./berth test faults`, fewer in the plain run. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { Policy, Vif } from '../../core/network.ts'
import { isFull } from '../faults/record.ts'
import { until } from './host.ts'
import { FlowSite, group, guest, policy, reaches, rule, whileEchoing } from './flows/site.ts'

const count = isFull ? 500 : 24
const atOnce = 12

describe.each(['ovs', 'bridge'] as const)('%s', (vifType) => {
  let site: FlowSite
  const [out, echo] = [rule('egress'), rule('ingress', { protocol: 'tcp', portMin: 7, portMax: 7 })]
  const members = group(out, echo)
  const vifs: readonly Vif[] = Array.from({ length: count }, (_none, index) => {
    const address = `10.10.${(index + 2) >> 8}.${(index + 2) & 255}`
    return guest(1, [members], { addresses: [{ address, prefixLength: 16, gateway: null }] })
  })
  const paths: string[] = []

  beforeAll(async () => {
    site = await FlowSite.start(vifType)
    await site.wires.enforce(policy([members]), [])
    for (let first = 0; first < count; first += atOnce)
      paths.push(...(await site.plug(...vifs.slice(first, first + atOnce))))
  }, 600_000)
  afterAll(async () => {
    await Promise.all(vifs.map(({ portId }) => site.wires.unplug(portId)))
    expect(await site.wires.list()).toEqual([])
    await site.clear()
    await site.stop()
  }, 600_000)

  const addressOf = (index: number): string => vifs[index]?.addresses[0]?.address ?? ''
  const pairs = [
    [0, count - 1],
    [count - 1, 0],
    [Math.floor(count / 2), 1],
  ] as const

  /** For each pair, whether the first of it reaches the second; a frame to all is copied to as many guests as there are. */
  async function expectReached(wanted: boolean): Promise<void> {
    for (const [from, to] of pairs) {
      const place = { path: paths[to] ?? '', address: addressOf(to), port: 7 }
      const isAsWanted = async (): Promise<boolean> =>
        (await reaches(paths[from] ?? null, place.address, place.port)) === wanted
      await whileEchoing(place, () => until(isAsWanted, 30_000))
    }
  }

  test(`${count} ports stand on one network, and a changed rule is that of all of them`, async () => {
    const listed = await site.wires.list()
    expect(listed).toHaveLength(count)
    expect(listed.filter(({ error }) => error !== null)).toEqual([])
    await expectReached(true)
    const without: Policy = policy([{ id: members.id, rules: [out] }])
    await site.wires.enforce(without, vifs)
    await expectReached(false)
    await site.wires.enforce(policy([members]), vifs)
    await expectReached(true)
  }, 120_000)
})

/** A wire is asked who has an address, and who asks leaves nothing behind. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { isOnHost } from '../contracts/vif.ts'
import { FlowSite, group, guest, openGroup, policy } from './flows/site.ts'
import { inNamespace } from './host.ts'

let site: FlowSite
const open = openGroup()
const closed = group()

beforeAll(async () => {
  site = await FlowSite.start()
  await site.wires.enforce(policy([open, closed]), [])
})
afterEach(() => site.clear())
afterAll(() => site.stop())

const lookout = { device: 'pr-test', vlan: 100, mtu: 1500 }

async function asked(addresses: readonly string[]): Promise<Readonly<Record<string, readonly string[]>>> {
  const answers = await site.wires.probe(lookout, addresses)
  return Object.fromEntries([...answers].map(([address, macs]) => [address, [...macs]]))
}

test('those who have an address on the wire are named, whatever their groups let in, and others of its network only', async () => {
  const [one, two, elsewhere] = [guest(1, [open]), guest(2, [closed]), guest(3, [open], { vlan: 200 })]
  await site.plug(one, two, elsewhere)
  expect(await asked(['10.9.0.1', '10.9.0.2', '10.9.0.3', '10.9.0.4'])).toEqual({
    '10.9.0.1': [one.mac],
    '10.9.0.2': [two.mac],
  })
})

test('two machines of one address are both named', async () => {
  const free = { security: null }
  const [one, two] = [guest(1, [open], free), guest(2, [open], free)]
  const [, path = ''] = await site.plug(one, two)
  await inNamespace(path, 'ip', 'address', 'add', '10.9.0.1/24', 'dev', 'eth0')
  const answers = await asked(['10.9.0.1'])
  expect(answers['10.9.0.1']?.toSorted()).toEqual([one.mac, two.mac].toSorted())
})

test('a whole /22 is asked for, twice at the same time, and nothing is left of it', async () => {
  const vif = guest(1, [open])
  await site.plug(vif)
  const all = Array.from({ length: 1022 }, (_, i) => `10.9.${(i + 1) >> 8}.${(i + 1) & 255}`)
  const answers = await Promise.all([asked(all), asked(all)])
  expect(answers).toEqual([{ '10.9.0.1': [vif.mac] }, { '10.9.0.1': [vif.mac] }])
  expect(await isOnHost('pr-test')).toBe(false)
  expect(existsSync(join(site.host.directory, 'gateways', 'pr-test'))).toBe(false)
  expect(await site.wires.listGateways()).toEqual([])
})

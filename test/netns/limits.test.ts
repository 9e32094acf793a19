/** Rates are measured as iperf3's users know them, over one TCP connection. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { execa } from 'execa'
import { hostDevice, type RateLimit, type Vif } from '../../core/network.ts'
import { FlowSite, guest, openGroup, policy } from './flows/site.ts'
import { inNamespace, until } from './host.ts'

let site: FlowSite
const open = openGroup()
const python = '/usr/bin/python3'

const sinkScript = `
import socket, time
s = socket.create_server(('10.9.0.2', 7000))
print('listening', flush=True)
c = s.accept()[0]
start, end, got = time.time() + 0.5, time.time() + 2.5, 0
while (now := time.time()) < end:
    n = len(c.recv(65536))
    if now > start: got += n
print(got * 8 / 2.0 / 1000)
`
const sourceScript = `
import socket
s = socket.create_connection(('10.9.0.2', 7000))
try:
    while True: s.sendall(b'x' * 65536)
except OSError: pass
`

/** kbit/s from one guest to the other, over two seconds, after half a second's run-up. */
async function rate(from: string, to: string): Promise<number> {
  const sink = execa('nsenter', [`--net=${to}`, python, '-c', sinkScript], { timeout: 20_000 })
  await new Promise((resolve) => sink.stdout.once('data', resolve))
  await execa('nsenter', [`--net=${from}`, python, '-c', sourceScript], { timeout: 20_000 })
  return Number((await sink).stdout.split('\n').at(-1))
}

async function plugLimited(limits: Partial<Vif>): Promise<{ readonly vif: Vif; readonly paths: readonly string[] }> {
  const vif = guest(1, [open], limits)
  return { vif, paths: await site.plug(vif, guest(2, [open])) }
}

/** Never more than the limit, and as much as it allows as soon as the machine has the time: it may be busy with something else. */
async function expectWithinTenPercent(from: string, to: string, limit: RateLimit): Promise<void> {
  const measured: number[] = []
  await until(async () => measured.push(await rate(from, to)) && Math.max(...measured) > limit.rate * 0.9, 60_000)
  expect(Math.max(...measured)).toBeLessThan(limit.rate * 1.1)
}

const slow: RateLimit = { rate: 20_000, burst: 2000 }
const fast: RateLimit = { rate: 40_000, burst: 4000 }

describe.each(['ovs', 'bridge'] as const)('%s', (vifType) => {
  beforeAll(async () => {
    site = await FlowSite.start(vifType)
    await site.wires.enforce(policy([open]), [])
  })
  afterEach(() => site.clear())
  afterAll(() => site.stop())

  test('what a guest sends keeps to its limit, and to a new one at once', async () => {
    const { vif, paths } = await plugLimited({ outbound: slow })
    const [one = '', two = ''] = paths
    await expectWithinTenPercent(one, two, slow)
    await site.wires.enforce(policy([open]), [{ ...vif, outbound: fast }])
    await expectWithinTenPercent(one, two, fast)
  })

  test('what a guest gets keeps to its limit, and to a new one at once', async () => {
    const receiving = guest(2, [open], { inbound: slow })
    const [from = '', to = ''] = await site.plug(guest(1, [open]), receiving)
    await expectWithinTenPercent(from, to, slow)
    await site.wires.enforce(policy([open]), [{ ...receiving, inbound: fast }])
    await expectWithinTenPercent(from, to, fast)
  })
})

describe('ovs alone', () => {
  beforeAll(async () => {
    site = await FlowSite.start('ovs')
    await site.wires.enforce(policy([open]), [])
  })
  afterEach(() => site.clear())
  afterAll(() => site.stop())

  test('a guest whose root takes its limit away is held to it by the switch', async () => {
    const { paths } = await plugLimited({ outbound: slow })
    const [one = '', two = ''] = paths
    await inNamespace(one, 'tc', 'qdisc', 'delete', 'dev', 'eth0', 'root')
    expect(await rate(one, two)).toBeLessThan(slow.rate * 1.3)
  })

  test('limits leave with their port, and when they are lifted', async () => {
    const limits = { inbound: slow, outbound: slow }
    const { vif, paths } = await plugLimited(limits)
    const left = async (): Promise<string> =>
      [
        await site.host.vsctl('--columns=_uuid', 'list', 'QoS'),
        await site.host.vsctl('--columns=_uuid', 'list', 'Queue'),
        (await site.host.ofctl('dump-meters', 'br-test', '-O', 'OpenFlow14')).split('\n').slice(1).join('\n'),
        (await inNamespace(paths[0] ?? '', 'tc', 'qdisc', 'show', 'dev', 'eth0')).includes('tbf') ? 'tbf' : '',
      ].join('')
    expect(await left()).toContain('tbf')
    await site.wires.enforce(policy([open]), [{ ...vif, inbound: null, outbound: null }])
    expect(await left()).toBe('')
    await site.wires.enforce(policy([open]), [vif])
    expect(await left()).toContain('tbf')
    await site.wires.unplug(vif.portId)
    await until(async () => (await site.host.vsctl('--columns=_uuid', 'list', 'QoS')) === '')
    expect(await site.host.vsctl('list-ports', 'br-test')).not.toContain(hostDevice(vif.portId))
    expect(await site.host.vsctl('--columns=_uuid', 'list', 'Queue')).toBe('')
  })
})

describe('bridge alone', () => {
  beforeAll(async () => {
    site = await FlowSite.start('bridge')
    await site.wires.enforce(policy([open]), [])
  })
  afterEach(() => site.clear())
  afterAll(() => site.stop())

  test('limits leave with their port, and when they are lifted', async () => {
    const { vif, paths } = await plugLimited({ inbound: slow, outbound: slow })
    const left = async (): Promise<string> => (await execa('tc', ['qdisc', 'show'])).stdout
    expect((await left()).match(/tbf/g)).toHaveLength(2)
    expect(await inNamespace(paths[0] ?? '', 'tc', 'qdisc', 'show', 'dev', 'eth0')).not.toContain('tbf')
    await site.wires.enforce(policy([open]), [{ ...vif, inbound: null, outbound: null }])
    expect(await left()).not.toMatch(/tbf|ingress/)
    await site.wires.enforce(policy([open]), [vif])
    expect((await left()).match(/tbf/g)).toHaveLength(2)
    await site.wires.unplug(vif.portId)
    expect(await left()).not.toContain('tbf')
    expect((await execa('ip', ['-o', 'link', 'show', 'type', 'ifb'])).stdout).toBe('')
  })
})

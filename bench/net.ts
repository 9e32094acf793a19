/**
 * What a wire carries: iperf3 (one TCP connection, both directions) from guest to guest over `bridge` and `ovs`, with port security and a
 * security group and without, beside a bare veth pair and a bare bridge of the same round; usage: net [seconds] [rounds]
 */
import { randomUUID } from 'node:crypto'
import { closeSync, openSync } from 'node:fs'
import { once } from 'node:events'
import { execa } from 'execa'
import { z } from 'zod'
import type { GroupRule, Policy, Vif } from '../core/network.ts'
import { openWires, type Wires } from '../netns/index.ts'
import { ensureNamespace } from '../netns/namespace.ts'
import { RtNetlink } from '../netns/rtnetlink.ts'
import { TestHost, inNamespace } from '../test/netns/host.ts'
import { median } from './measure/figures.ts'

const seconds = Number(process.argv[2] ?? 3)
const rounds = Number(process.argv[3] ?? 5)
const mtu = 1500

/** Two ends that reach each other by IPv4. */
interface Way {
  readonly client: string
  readonly server: string
  readonly address: string
}

const groupId = randomUUID()
const rule: Omit<GroupRule, 'direction' | 'protocol'> = {
  id: randomUUID(),
  family: 4,
  portMin: null,
  portMax: null,
  remotePrefix: null,
  remoteGroupId: null,
}
const policy: Policy = {
  groups: [
    {
      id: groupId,
      rules: [
        { ...rule, direction: 'egress', protocol: null },
        { ...rule, id: randomUUID(), direction: 'ingress', protocol: 'tcp', portMin: 5201, portMax: 5201 },
      ],
    },
  ],
  members: new Map(),
}

function vifOf(vlan: number, last: number, isGuarded: boolean): Vif {
  return {
    portId: randomUUID(),
    serverId: randomUUID(),
    mac: `fa:16:3e:00:0${vlan % 10}:0${last}`,
    addresses: [{ address: `10.9.0.${last}`, prefixLength: 24, gateway: null }],
    dns: [],
    mtu,
    vlan,
    device: 'eth0',
    security: isGuarded ? { groupIds: [groupId], addressPairs: [] } : null,
    inbound: null,
    outbound: null,
  }
}

async function guests(wires: Wires, vlan: number, isGuarded: boolean): Promise<Way> {
  const paths = await Promise.all(
    [1, 2].map(async (last) => {
      const vif = vifOf(vlan, last, isGuarded)
      const namespace = await wires.ensureNamespace(vif.serverId)
      await wires.plug(vif, namespace)
      return namespace.netnsPath
    }),
  )
  return { client: paths[0] ?? '', server: paths[1] ?? '', address: '10.9.0.2' }
}

/** Nothing but a pair of devices between two namespaces. */
async function barePair(directory: string): Promise<Way> {
  const settings = { directory, guestRootUid: 0 }
  const [one, two] = [await ensureNamespace(settings, 'bare-1'), await ensureNamespace(settings, 'bare-2')]
  const descriptor = openSync(two.netnsPath, 'r')
  try {
    using inside = new RtNetlink(one.netnsPath)
    await inside.createVeth({ host: 'eth0', guest: 'eth0', guestMac: 'fa:16:3e:00:00:02', mtu }, descriptor)
  } finally {
    closeSync(descriptor)
  }
  return await addressed(one.netnsPath, two.netnsPath)
}

async function addressed(client: string, server: string): Promise<Way> {
  for (const [index, netnsPath] of [client, server].entries()) {
    await inNamespace(netnsPath, 'ip', 'address', 'add', `10.9.0.${index + 1}/24`, 'dev', 'eth0')
    await inNamespace(netnsPath, 'ip', 'link', 'set', 'eth0', 'up')
  }
  return { client, server, address: '10.9.0.2' }
}

/** Two such pairs, joined by a bridge without any rule, in a namespace of its own: what the kernel's own bridge leaves of the bare pair. */
async function bareBridge(directory: string): Promise<Way> {
  const settings = { directory, guestRootUid: 0 }
  const [between, ...ends] = await Promise.all(
    ['bare-0', 'bare-3', 'bare-4'].map((name) => ensureNamespace(settings, name)),
  )
  const ip = (words: string): Promise<string> => inNamespace(between?.netnsPath ?? '', 'ip', ...words.split(' '))
  await ip('link add bare type bridge mcast_snooping 0')
  await ip('link set bare up')
  for (const [index, { netnsPath }] of ends.entries()) {
    await ip(`link add bare-${index} master bare type veth peer name eth0 netns ${netnsPath}`)
    await ip(`link set bare-${index} up`)
  }
  return await addressed(ends[0]?.netnsPath ?? '', ends[1]?.netnsPath ?? '')
}

const report = z.object({ end: z.object({ sum_received: z.object({ bits_per_second: z.number() }) }) })

/** Gbit/s that come out at the far end. */
async function rate({ client, server, address }: Way, isBack: boolean): Promise<number> {
  const words = ['-s', '-1', '--forceflush']
  const listening = execa('nsenter', [`--net=${server}`, 'iperf3', ...words], { timeout: 60_000 })
  await once(listening.stdout, 'data')
  const ask = ['iperf3', '-c', address, '-t', String(seconds), '-O', '1', '-J', ...(isBack ? ['-R'] : [])]
  const { stdout } = await execa('nsenter', [`--net=${client}`, ...ask], { timeout: 60_000 })
  await listening
  return report.parse(JSON.parse(stdout)).end.sum_received.bits_per_second / 1e9
}

async function measure(ways: ReadonlyMap<string, Way>): Promise<void> {
  const [rates, ratios] = [new Map<string, number[]>(), new Map<string, number[]>()]
  for (let round = 0; round < rounds; round += 1) {
    for (const isBack of [false, true]) {
      let floor = Number.NaN
      for (const [name, way] of ways) {
        const found = await rate(way, isBack)
        if (name === 'raw') floor = found
        rates.set(name, [...(rates.get(name) ?? []), found])
        ratios.set(name, [...(ratios.get(name) ?? []), found / floor])
      }
    }
  }
  for (const [name, found] of rates)
    console.log(
      `${name} gbit_per_second=${median(found).toFixed(2)} ratio_to_raw=${median(ratios.get(name) ?? []).toFixed(3)}`,
    )
}

const host = await TestHost.start()
const namespaces = { directory: host.namespaces, guestRootUid: 0 }
const settings = { ovsSocket: host.socket, bridge: 'br-bench', datapath: 'netdev', namespaces } as const
const [overOvs, overBridge] = [
  await openWires({ ...settings, vifType: 'ovs', owner: 'bench' }),
  await openWires({ ...settings, vifType: 'bridge', owner: 'benchb' }),
]
try {
  await Promise.all([overOvs, overBridge].map((wires) => wires.enforce(policy, [])))
  await measure(
    new Map([
      ['raw', await barePair(host.namespaces)],
      ['bridge_without_rules', await bareBridge(host.namespaces)],
      ['bridge_groups', await guests(overBridge, 101, true)],
      ['bridge_open', await guests(overBridge, 102, false)],
      ['ovs_groups', await guests(overOvs, 103, true)],
      ['ovs_open', await guests(overOvs, 104, false)],
    ]),
  )
} finally {
  for (const wires of [overOvs, overBridge]) {
    for (const { portId } of await wires.list()) await wires.unplug(portId)
    wires.close()
  }
  for (const name of overOvs.listNamespaces()) await overOvs.removeNamespace(name)
  await host.stop()
}

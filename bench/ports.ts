/**
 * How a bridge bears its ports: the time of one more plug and of one changed rule, which all ports have, with 1, 100 and 500 of them; and
 * plugs per second on the way there, eight at a time. The floor is the first figure of the same run: neither is to grow with the ports.
 */
import { randomUUID } from 'node:crypto'
import type { GroupRule, Policy, Vif } from '../core/network.ts'
import { openWires, type Wires } from '../netns/index.ts'
import { TestHost } from '../test/netns/host.ts'
import { median, timed } from './figures.ts'

const sizes = [1, 100, 500] as const
const atOnce = 8
const samples = 9

const groupId = randomUUID()
const anybody = { portMin: null, portMax: null, remotePrefix: null, remoteGroupId: null }
const out: GroupRule = { id: randomUUID(), direction: 'egress', family: 4, protocol: null, ...anybody }

/** Of one group, whose members reach each other; and a port that is open to all, so that there is something to change. */
function policyOf(vifs: readonly Vif[], port: number): Policy {
  const members: GroupRule = { ...out, id: randomUUID(), direction: 'ingress', remoteGroupId: groupId }
  const tcp: GroupRule = {
    ...out,
    id: randomUUID(),
    direction: 'ingress',
    protocol: 'tcp',
    portMin: port,
    portMax: port,
  }
  const addresses = vifs.flatMap((vif) => vif.addresses.map(({ address }) => address))
  return { groups: [{ id: groupId, rules: [out, members, tcp] }], members: new Map([[groupId, addresses]]) }
}

function vifOf(index: number): Vif {
  const tail = index.toString(16).padStart(4, '0')
  return {
    portId: randomUUID(),
    serverId: randomUUID(),
    mac: `fa:16:3e:00:${tail.slice(0, 2)}:${tail.slice(2)}`,
    addresses: [{ address: `10.9.${index >> 8}.${index & 255}`, prefixLength: 16, gateway: '10.9.255.254' }],
    dns: [],
    mtu: 1500,
    vlan: 100,
    device: 'eth0',
    security: { groupIds: [groupId], addressPairs: [] },
    inbound: null,
    outbound: null,
  }
}

async function plug(wires: Wires, vif: Vif): Promise<number> {
  const namespace = await wires.ensureNamespace(vif.serverId)
  return await timed(() => wires.plug(vif, namespace))
}

/** Up to so many ports stand when this returns. @returns plugs per second */
async function grow(wires: Wires, vifs: Vif[], size: number): Promise<number> {
  const start = performance.now()
  const before = vifs.length
  while (vifs.length < size) {
    const more = Array.from({ length: Math.min(atOnce, size - vifs.length) }, (_, index) =>
      vifOf(vifs.length + index + 1),
    )
    vifs.push(...more)
    await Promise.all(more.map((vif) => plug(wires, vif)))
  }
  return ((vifs.length - before) / (performance.now() - start)) * 1000
}

interface Figures {
  readonly plugMs: number
  readonly ruleMs: number
}

async function measure(wires: Wires, vifs: readonly Vif[]): Promise<Figures> {
  const [plugs, rules]: [number[], number[]] = [[], []]
  for (let sample = 0; sample < samples; sample += 1) {
    const vif = vifOf(60_000)
    plugs.push(await plug(wires, vif))
    await wires.unplug(vif.portId)
    await wires.removeNamespace(vif.serverId)
    const policy = policyOf(vifs, 1000 + sample)
    rules.push(await timed(() => wires.enforce(policy, vifs)))
  }
  return { plugMs: median(plugs), ruleMs: median(rules) }
}

const host = await TestHost.start()
const wires = await openWires({
  ovsSocket: host.socket,
  bridge: 'br-bench',
  datapath: 'netdev',
  owner: 'bench',
  namespaces: { directory: host.namespaces, guestRootUid: 0 },
})
const vifs: Vif[] = []
let first: Figures | null = null
try {
  for (const size of sizes) {
    const perSecond = await grow(wires, vifs, size)
    await wires.enforce(policyOf(vifs, 999), vifs)
    const { plugMs, ruleMs } = await measure(wires, vifs)
    first ??= { plugMs, ruleMs }
    console.log(`ports=${size} plugs_per_second=${perSecond.toFixed(1)}`)
    console.log(`plug_ms=${plugMs.toFixed(1)} rule_ms=${ruleMs.toFixed(1)}`)
    console.log(
      `ratio_to_one_port plug=${(plugMs / first.plugMs).toFixed(2)} rule=${(ruleMs / first.ruleMs).toFixed(2)}`,
    )
  }
} finally {
  for (const { portId, serverId } of vifs) {
    await wires.unplug(portId)
    await wires.removeNamespace(serverId)
  }
  wires.close()
  await host.stop()
}

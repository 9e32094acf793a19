/**
 * How a host bears its ports: with 1, 100 and 500 of them on one network, the time of one more plug, of each of eight at once, and until a
 * changed rule holds that all ports have; each on a host at rest, and the rule also while the switch still looks at what eight unplugs
 * left. The floor: what a shell would type for one more wire beside those that stand, without addresses, rules and limits; and the first
 * figures of the same run, for none is to grow with the ports; usage: ports [ovs|bridge] [sizes, such as 1,100]
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import { z } from 'zod'
import type { GroupRule, Policy, Vif } from '../core/network.ts'
import { openWires, type Wires } from '../netns/index.ts'
import { TestHost } from '../test/netns/host.ts'
import { median, timed } from './measure/figures.ts'

const vifType = z.enum(['ovs', 'bridge']).parse(process.argv[2] ?? 'ovs')
const sizes = (process.argv[3] ?? '1,100,500').split(',').map(Number)
const atOnce = 8
const samples = 9
const restMs = 300
const [bridge, owner] = ['br-bench', 'bench']

const [groupId, membersRule] = [randomUUID(), randomUUID()]
const anybody = { portMin: null, portMax: null, remotePrefix: null, remoteGroupId: null }
const out: GroupRule = { id: randomUUID(), direction: 'egress', family: 4, protocol: null, ...anybody }

/** Of one group, whose members reach each other; and a port that is open to all, so that there is something to change. */
function policyOf(vifs: readonly Vif[], port: number): Policy {
  const members: GroupRule = { ...out, id: membersRule, direction: 'ingress', remoteGroupId: groupId }
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

/** @returns milliseconds for each of them */
async function plug(wires: Wires, vifs: readonly Vif[]): Promise<number> {
  const namespaces = await Promise.all(vifs.map((vif) => wires.ensureNamespace(vif.serverId)))
  const all = async (): Promise<unknown> =>
    await Promise.all(vifs.flatMap((vif, index) => (namespaces[index] ? [wires.plug(vif, namespaces[index])] : [])))
  return (await timed(all)) / vifs.length
}

async function unplug(wires: Wires, vifs: readonly Vif[]): Promise<void> {
  await Promise.all(vifs.map(({ portId }) => wires.unplug(portId)))
  for (const { serverId } of vifs) await wires.removeNamespace(serverId)
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
    await plug(wires, more)
  }
  return ((vifs.length - before) / (performance.now() - start)) * 1000
}

/** A bare pair of devices, one end of it in the switch. @returns milliseconds */
async function plugByShell(host: TestHost): Promise<number> {
  const took = await timed(async () => {
    await execa('ip', ['link', 'add', 'floor', 'type', 'veth', 'peer', 'name', 'floor-far'])
    await execa('ip', ['link', 'set', 'floor', 'up'])
    if (vifType === 'ovs') await host.vsctl('add-port', bridge, 'floor', 'tag=100')
    else await execa('ip', ['link', 'set', 'floor', 'master', `${owner}-v100`])
  })
  if (vifType === 'ovs') await host.vsctl('del-port', bridge, 'floor')
  await execa('ip', ['link', 'delete', 'floor'])
  return took
}

interface Figures {
  readonly floorMs: number
  readonly plugMs: number
  readonly eachOfEightMs: number
  readonly busyRuleMs: number
  readonly ruleMs: number
}

/** The switch has done all that it was asked, and the kernel has told it of every device that came or went. */
async function rest(wires: Wires): Promise<void> {
  await wires.confirm()
  await sleep(restMs)
}

async function measure(host: TestHost, wires: Wires, vifs: readonly Vif[]): Promise<Figures> {
  const [floors, plugs, eights]: [number[], number[], number[]] = [[], [], []]
  const [busyRules, rules]: [number[], number[]] = [[], []]
  const change = async (port: number): Promise<number> => {
    const policy = policyOf(vifs, port)
    return await timed(() => wires.enforce(policy, vifs))
  }
  for (let sample = 0; sample < samples; sample += 1) {
    await rest(wires)
    floors.push(await plugByShell(host))
    for (const [times, count] of [
      [plugs, 1],
      [eights, atOnce],
    ] as const) {
      const more = Array.from({ length: count }, (_, index) => vifOf(60_000 + index))
      await rest(wires)
      times.push(await plug(wires, more))
      await unplug(wires, more)
    }
    busyRules.push(await change(1000 + sample))
    await rest(wires)
    rules.push(await change(2000 + sample))
  }
  return {
    floorMs: median(floors),
    plugMs: median(plugs),
    eachOfEightMs: median(eights),
    busyRuleMs: median(busyRules),
    ruleMs: median(rules),
  }
}

const host = await TestHost.start({ hasSwitch: vifType === 'ovs' })
const wires = await openWires({
  vifType,
  ovsSocket: host.socket,
  bridge,
  datapath: 'netdev',
  owner,
  namespaces: { directory: host.namespaces, guestRootUid: 0 },
})
const vifs: Vif[] = []
let first: Figures | null = null
try {
  for (const size of sizes) {
    const perSecond = await grow(wires, vifs, size)
    await wires.enforce(policyOf(vifs, 999), vifs)
    const found = await measure(host, wires, vifs)
    first ??= found
    const ratio = (figure: keyof Figures): string => (found[figure] / (first?.[figure] ?? 1)).toFixed(2)
    console.log(`vif_type=${vifType} ports=${size} plugs_per_second=${perSecond.toFixed(1)}`)
    console.log(
      `floor_ms=${found.floorMs.toFixed(1)} plug_ms=${found.plugMs.toFixed(1)} each_of_eight_ms=${found.eachOfEightMs.toFixed(1)} rule_ms=${found.ruleMs.toFixed(1)} busy_rule_ms=${found.busyRuleMs.toFixed(1)}`,
    )
    console.log(
      `ratio_to_floor plug=${(found.plugMs / found.floorMs).toFixed(2)} each_of_eight=${(found.eachOfEightMs / found.floorMs).toFixed(2)} ratio_to_first floor=${ratio('floorMs')} plug=${ratio('plugMs')} each_of_eight=${ratio('eachOfEightMs')} rule=${ratio('ruleMs')}`,
    )
  }
} finally {
  await unplug(wires, vifs)
  wires.close()
  await host.stop()
}

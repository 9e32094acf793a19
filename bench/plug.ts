/**
 * Time of one plug (veth, MAC, MTU, address, route, checksum offload, tagged port confirmed by the switch) beside two floors of the
 * same run: the bare veth by two `ip -batch`, and the same wire whole by `ip -batch`, `ethtool` and `ovs-vsctl`.
 */
import { randomUUID } from 'node:crypto'
import { execa } from 'execa'
import type { Vif } from '../core/network.ts'
import { openWires, type Namespace, type Wires } from '../netns/index.ts'
import { TestHost } from '../test/netns/host.ts'

const rounds = 4
const perRound = 8

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
    security: { groupIds: [], addressPairs: [] },
    inbound: null,
    outbound: null,
  }
}

/** What a shell would type for the bare veth; the host's end is named after the port as ours is. */
async function plugVethByIp(vif: Vif, { netnsPath }: Namespace, device: string): Promise<void> {
  const peer = `peer name eth0 address ${vif.mac} mtu ${vif.mtu} netns ${netnsPath}`
  await execa('ip', ['-batch', '-'], {
    input: `link add ${device} mtu ${vif.mtu} type veth ${peer}\nlink set ${device} up\n`,
  })
  const [address] = vif.addresses
  const lines = [
    'link set lo up',
    `addr add ${address?.address ?? ''}/16 dev eth0`,
    'link set eth0 up',
    `route add default via ${address?.gateway ?? ''}`,
  ]
  await execa('nsenter', [`--net=${netnsPath}`, 'ip', '-batch', '-'], { input: `${lines.join('\n')}\n` })
}

async function plugByShell(host: TestHost, vif: Vif, namespace: Namespace, device: string): Promise<void> {
  await plugVethByIp(vif, namespace, device)
  await execa('ethtool', ['-K', device, 'tx', 'off'])
  await execa('nsenter', [`--net=${namespace.netnsPath}`, 'ethtool', '-K', 'eth0', 'tx', 'off'])
  await host.vsctl('add-port', 'br-bench', device, 'tag=100')
}

type Way = (vif: Vif, namespace: Namespace, device: string) => Promise<void>

/** Milliseconds of each plug: `atOnce` of them run at the same time. Afterwards all is taken down, not timed. */
async function measure(host: TestHost, wires: Wires, way: Way, atOnce: number): Promise<readonly number[]> {
  const vifs = Array.from({ length: perRound }, (_, index) => vifOf(index + 1))
  const namespaces = await Promise.all(vifs.map(({ serverId }) => wires.ensureNamespace(serverId)))
  const times: number[] = []
  const plugged = vifs.map((vif, index) => ({
    vif,
    namespace: namespaces[index],
    device: `tap${vif.portId.slice(0, 11)}`,
  }))
  for (let first = 0; first < plugged.length; first += atOnce) {
    await Promise.all(
      plugged.slice(first, first + atOnce).map(async ({ vif, namespace, device }) => {
        if (!namespace) return
        const start = performance.now()
        await way(vif, namespace, device)
        times.push(performance.now() - start)
      }),
    )
  }
  await host.vsctl(...plugged.flatMap(({ device }) => ['--', '--if-exists', 'del-port', 'br-bench', device]))
  for (const { vif } of plugged) {
    await wires.unplug(vif.portId)
    await wires.removeNamespace(vif.serverId)
  }
  return times
}

function median(times: readonly number[]): number {
  return times.toSorted((one, other) => one - other)[Math.floor(times.length / 2)] ?? Number.NaN
}

const host = await TestHost.start()
const wires = await openWires({
  ovsSocket: host.socket,
  bridge: 'br-bench',
  datapath: 'netdev',
  owner: 'bench',
  namespaces: { directory: host.namespaces, guestRootUid: 0 },
})
const ways = {
  plug: (vif, namespace) => wires.plug(vif, namespace),
  veth_by_ip: plugVethByIp,
  whole_by_shell: (vif, namespace, device) => plugByShell(host, vif, namespace, device),
} satisfies Record<string, Way>

try {
  for (const atOnce of [1, perRound]) {
    const times: Record<keyof typeof ways, number[]> = { plug: [], veth_by_ip: [], whole_by_shell: [] }
    // Interleaved, so that a busy moment of the machine falls on all of them.
    for (let round = 0; round < rounds; round += 1) {
      times.plug.push(...(await measure(host, wires, ways.plug, atOnce)))
      times.veth_by_ip.push(...(await measure(host, wires, ways.veth_by_ip, atOnce)))
      times.whole_by_shell.push(...(await measure(host, wires, ways.whole_by_shell, atOnce)))
    }
    const [plug, veth, whole] = [median(times.plug), median(times.veth_by_ip), median(times.whole_by_shell)]
    console.log(`at_once=${atOnce} plugs=${times.plug.length}`)
    console.log(`plug_ms=${plug.toFixed(1)} veth_by_ip_ms=${veth.toFixed(1)} whole_by_shell_ms=${whole.toFixed(1)}`)
    console.log(`ratio_to_veth_by_ip=${(plug / veth).toFixed(2)} ratio_to_whole_by_shell=${(plug / whole).toFixed(2)}`)
  }
} finally {
  wires.close()
  await host.stop()
}

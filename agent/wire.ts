/** The network of a guest on this host: its namespace, its vifs, the gateways of its networks. */
import { messageOf } from '../core/errors.ts'
import { gatewayDevice, type Vif } from '../core/network.ts'
import { networkIds } from '../db/networks.ts'
import { tunnelsBeside } from '../db/tunnels.ts'
import { networksInUse, setPortStatus } from '../db/vifs.ts'
import type { Namespace } from '../netns/index.ts'
import { enforce } from './enforce.ts'
import type { Host } from './host.ts'

/** Every vif of the server is plugged, whatever was there before; its ports are ACTIVE when this returns. */
export async function plugAll(host: Host, serverId: string, vifs: readonly Vif[]): Promise<Namespace> {
  const { db, wires } = host
  const namespace = await wires.ensureNamespace(serverId)
  await Promise.all([enforce(host), ...vifs.map((vif) => wires.plug(vif, namespace))])
  await setPortStatus(db, serverId, 'ACTIVE')
  return namespace
}

/**
 * Makes the host answer for the gateways that the settings name. One that clashes with an address of the machine is left out and
 * told in the log: the guests of that network still reach each other.
 *
 * @param present networks that are not looked at; those that are join them
 */
export async function ensureGateways(
  { db, wires, config, name, log }: Host,
  present: Set<string> = new Set<string>(),
): Promise<void> {
  if (config.gateways === 'none') return
  for (const network of await networksInUse(db, config.gateways === 'all' ? null : name)) {
    if (network.gateways.length === 0 || present.has(network.networkId)) continue
    present.add(network.networkId)
    const { vlan, vni, mtu, gateways, isApart } = network
    const device = gatewayDevice(network.networkId)
    try {
      await wires.ensureGateway({ device, vlan, vni, mtu, addresses: gateways }, { isApart })
    } catch (error) {
      log.warn({ networkId: network.networkId, device, reason: messageOf(error) }, 'gateway not on this host')
    }
  }
}

/** An uplink whose device has gone is told in the log, and with the sign of life: guests of this host still reach each other. */
export async function ensureUplink({ wires, config, log }: Host): Promise<void> {
  const { uplink } = config
  await wires.leaveUplinks(uplink)
  if (uplink === null) return
  try {
    await wires.ensureUplink(uplink)
  } catch (error) {
    log.error({ uplink, reason: messageOf(error) }, 'uplink not connected')
  }
}

/** Networks in tunnels reach the hosts that are known now. */
export async function ensureTunnels({ db, wires, config, name }: Host): Promise<void> {
  const local = config.tunnelAddress
  if (local === null) return
  const [remotes, mtu] = await Promise.all([tunnelsBeside(db, name), wires.tunnelMtu(local)])
  await wires.setTunnels({ local, remotes, mtu })
}

/** A network that is deleted takes its gateway along: the address is free for other uses of the host. */
export async function sweepGateways({ db, wires, config, log }: Host): Promise<void> {
  const present = await wires.listGateways()
  const wanted = new Set(config.gateways === 'none' ? [] : (await networkIds(db)).map(gatewayDevice))
  for (const device of present) {
    if (wanted.has(device)) continue
    await wires.removeGateway(device)
    log.info({ device }, 'gateway of a deleted network removed')
  }
}

/** A gateway on Open vSwitch: an internal port with the network's tag; in a namespace of its own, the end of a veth pair. */
import { closeSync, openSync } from 'node:fs'
import type { Bridge } from './bridge.ts'
import { tagOf } from './bridge-rows.ts'
import { turnOffTxChecksum } from './ethtool.ts'
import type { Gateway, GatewayPort } from './gateway.ts'
import { RtNetlink } from './rtnetlink.ts'
import type { OvsDetails } from './vifs/ovs.ts'

/** In the external ids of its port. */
const placeKey = 'berth-netns'

function ids({ netnsPath }: Gateway): Readonly<Record<string, string>> {
  return { 'berth-role': 'gateway', ...(netnsPath === undefined ? {} : { [placeKey]: netnsPath }) }
}

async function clear(bridge: Bridge, device: string): Promise<void> {
  await bridge.remove(device)
  using outside = new RtNetlink(bridge.netnsPath)
  await outside.deleteLink(device)
}

/** A pair of devices of one name: one on the bridge, one in the namespace. */
async function makePair(
  bridge: Bridge,
  { device, mtu }: Gateway,
  ends: { netnsPath: string; mac: string },
): Promise<void> {
  using outside = new RtNetlink(bridge.netnsPath)
  using inside = new RtNetlink(ends.netnsPath)
  await inside.deleteLink(device)
  const descriptor = openSync(ends.netnsPath, 'r')
  try {
    await outside.createVeth({ host: device, guest: device, guestMac: ends.mac, mtu }, descriptor)
  } finally {
    closeSync(descriptor)
  }
  await inside.loopbackUp()
}

export function ovsGateways({ bridge, datapath, firewall }: OvsDetails): GatewayPort {
  return {
    owner: bridge.owner,
    netnsPath: bridge.netnsPath,
    async isConnected(gateway) {
      const port = await bridge.port(gateway.device)
      return (
        port?.vlan === tagOf(gateway) && (port.ofport ?? -1) > 0 && port.externalIds[placeKey] === gateway.netnsPath
      )
    },
    async connect(gateway, mac) {
      const { device, mtu, netnsPath } = gateway
      await clear(bridge, device)
      if (netnsPath !== undefined) await makePair(bridge, gateway, { netnsPath, mac })
      const internal = netnsPath === undefined ? { internal: { mac, mtu } } : {}
      await bridge.add({ device, vlan: tagOf(gateway), ...internal, externalIds: ids(gateway) })
    },
    async open({ device, vlan, vni = null, netnsPath }, mac) {
      if (datapath === 'netdev')
        for (const place of new Set([bridge.netnsPath, netnsPath ?? bridge.netnsPath])) turnOffTxChecksum(device, place)
      const ofport = (await bridge.port(device))?.ofport ?? -1
      if (ofport > 0) await firewall.addHostPort({ device, ofport, vlan, vni, mac })
    },
    async disconnect(device) {
      await clear(bridge, device)
      await firewall.removeDevice(device)
    },
  }
}

/** A gateway on a Linux bridge: a veth pair whose far end is a port of it. */
import { openSync, closeSync } from 'node:fs'
import type { BridgeNetworks } from './bridge-networks.ts'
import type { Gateway, GatewayPort } from './gateway.ts'
import type { Guard } from './nft/guard.ts'
import { RtNetlink } from './rtnetlink.ts'

/** The end that is on the bridge. */
function farOf(device: string): string {
  return device.replace(/^gw/, 'gp')
}

/** The mark on that end: where the other one stands. */
function aliasOf(owner: string, { netnsPath = '-' }: Pick<Gateway, 'netnsPath'>): string {
  return `${owner} gateway ${netnsPath}`
}

/** Devices of the gateways that have an end in this namespace. */
export async function gatewaysIn(owner: string, netnsPath: string | null): Promise<readonly string[]> {
  using here = new RtNetlink(netnsPath)
  const ours = (await here.links()).filter(({ alias }) => alias?.startsWith(`${owner} gateway `) === true)
  return ours.map(({ name }) => name.replace(/^gp/, 'gw'))
}

export function bridgeGateways(networks: BridgeNetworks, guard: Guard): GatewayPort {
  const { bridges } = networks
  const { netnsPath, owner } = bridges
  return {
    owner,
    netnsPath,
    async isConnected(gateway) {
      using here = new RtNetlink(netnsPath)
      const [bridge, far] = [await here.link(bridges.nameOf(gateway)), await here.link(farOf(gateway.device))]
      return bridge !== null && far?.master === bridge.index && far.isUp && far.alias === aliasOf(owner, gateway)
    },
    async connect(gateway, mac) {
      const { device, mtu } = gateway
      const place = gateway.netnsPath ?? netnsPath
      using here = new RtNetlink(netnsPath)
      using there = new RtNetlink(place)
      for (const links of [here, there]) await links.deleteLink(device)
      await here.deleteLink(farOf(device))
      const home = openSync(place ?? '/proc/thread-self/ns/net', 'r')
      try {
        await here.createVeth({ host: farOf(device), guest: device, guestMac: mac, mtu }, home)
      } finally {
        closeSync(home)
      }
      await there.loopbackUp()
      await here.setAlias(farOf(device), aliasOf(owner, gateway))
    },
    async open(gateway) {
      await networks.join(gateway)
      await guard.addDevice(farOf(gateway.device), 'host')
      await bridges.attach(farOf(gateway.device), bridges.nameOf(gateway))
    },
    async disconnect(device) {
      using here = new RtNetlink(netnsPath)
      for (const name of [farOf(device), device]) await here.deleteLink(name)
      await guard.removeDevice(farOf(device))
    },
  }
}

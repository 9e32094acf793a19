import type { Vif } from '../../core/network.ts'
import type { Server } from '../../core/server.ts'
import { portIdsOnHost, vifsOf } from '../../db/vifs.ts'
import { findNamespace } from '../../netns/namespace.ts'
import type { Check, Drift, Scene } from '../check.ts'

/** States in which a guest stands with its wires plugged. */
const wired = new Set(['active', 'paused'])

async function compare({ wires, namespaces }: Scene, server: Server, vif: Vif): Promise<readonly Drift[]> {
  const namespace = findNamespace(namespaces, server.id)
  const port = `port ${vif.portId} (${vif.device} of server ${server.id})`
  if (!namespace) return [{ text: `${port} has no namespace`, advice: 'the agent makes it anew; else a hard reboot' }]
  if (await wires.isPlugged(vif, namespace)) return []
  return [
    {
      text: `${port} is not as its row says: MAC ${vif.mac}, VLAN ${String(vif.vlan)}, ${vif.addresses.map(({ address }) => address).join(', ')}`,
      remedy: 'it is plugged again',
      repair: () => wires.plug(vif, namespace),
    },
  ]
}

async function ofServers(scene: Scene): Promise<readonly Drift[]> {
  const settled = scene.servers.filter(({ taskState, vmState }) => taskState === null && wired.has(vmState))
  const found = await Promise.all(
    settled.map(async (server) => {
      const vifs = await vifsOf(scene.db, server.id)
      return await Promise.all(vifs.map((vif) => compare(scene, server, vif)))
    }),
  )
  return found.flat(2)
}

export const wires: Check = {
  name: 'wires',
  holds: 'the ports in Open vSwitch, the rows and the NICs of the guests are the same: MAC, VLAN, addresses',
  async run(scene) {
    const rows = new Set(await portIdsOnHost(scene.db, scene.config.hostName))
    const stray = scene.plugged.filter(({ portId }) => !rows.has(portId))
    return [
      ...(await ofServers(scene)),
      ...stray.map(({ portId, device }) => ({
        text: `device ${device} stands for port ${portId}, which no server of this host has`,
        remedy: 'it is unplugged',
        repair: () => scene.wires.unplug(portId),
      })),
    ]
  },
}

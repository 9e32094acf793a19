import type { Check } from '../check.ts'
import { networkIds } from '../../db/networks.ts'
import { gatewayDevice, hostDevice } from '../../core/network.ts'

export const switchRows: Check = {
  name: 'switch rows',
  holds:
    'each row of ours in Open vSwitch is a port of a guest, the gateway of a network or a trunk to another host, and has its device',
  async run({ bridge, db, wires }) {
    if (bridge === null) return []
    const gateways = new Set((await networkIds(db)).map(gatewayDevice))
    const rows = (await bridge.ports()).filter(({ externalIds }) => externalIds['berth-role'] !== 'metadata')
    const stray = rows.filter(({ device, externalIds }) =>
      externalIds['berth-role'] === 'gateway'
        ? !gateways.has(device)
        : externalIds['berth-role'] !== 'trunk' &&
          externalIds['berth-role'] !== 'tunnel' &&
          (externalIds['iface-id'] === undefined || hostDevice(externalIds['iface-id']) !== device),
    )
    return [
      ...stray.map(({ device }) => ({
        text: `Open vSwitch port ${device} carries our mark, and is neither a guest's nor a gateway`,
        remedy: 'the port is removed',
        repair: () => wires.removeGateway(device),
      })),
      ...rows
        .filter(({ error, ofport }) => error !== null || (ofport ?? -1) < 1)
        .map(({ device, error }) => ({
          text: `Open vSwitch does not forward for port ${device}: ${error ?? 'it has no number'}`,
          advice: 'the agent plugs it again; else ./berth logs ovs-vswitchd',
        })),
    ]
  },
}

/** The flows of a network whose frames go in tunnels: a switch of its own, which never learns. */
import { flow, load, networkOf, registers, tables as t, to, type Flows } from './flow.ts'

const group = 'dl_dst=01:00:00:00:00:00/01:00:00:00:00:00'

/** The OpenFlow numbers of the ports of such a network on this host. */
export interface OverlayPorts {
  /** where frames to other hosts leave, and theirs come in */
  readonly tunnel: number | null
  /** whether a gateway's address that comes by it is the gateway's: another host of the cloud answers for it */
  readonly isTrusted: boolean
  /** guests and the host itself */
  readonly local: readonly number[]
  /** those of them whose guests may have any MAC address */
  readonly free: readonly number[]
}

/** A frame for one whose MAC address no flow here has goes to the tunnel, whose device knows the host; one for all goes to all. */
export function overlayFlows(vni: number, { tunnel, isTrusted, local, free }: OverlayPorts): Flows {
  const network = networkOf({ vlan: null, vni })
  const out = (ports: readonly number[]): readonly string[] => ports.map((port) => `output:${port}`)
  const away = tunnel === null ? [] : [tunnel]
  const entry =
    tunnel === null
      ? []
      : [
          flow(
            t.classify,
            90,
            `in_port=${tunnel},vlan_tci=0x0000`,
            load(network, registers.vlan),
            ...(isTrusted ? [load(1, registers.fromHost)] : []),
            to(t.deliver),
          ),
        ]
  return new Map([
    ...entry,
    flow(t.flood, 100, `reg6=${network},${group}`, ...out([...away, ...local])),
    flow(t.flood, 90, `reg6=${network}`, ...out([...away, ...free])),
  ])
}

/** Rows of Open vSwitch: a bridge, its ports, and what is said of them. Source: ovs-vswitchd.conf.db(5) */
import { z } from 'zod'
import type { RateLimit, Segment } from '../core/network.ts'
import { ovsMap, shapes, type Operation } from './ovsdb.ts'

/** The tag of all ports that are in tunnels: reserved by 802.1Q, so that no learning switch joins them to a network. */
export const tunnelTag = 4095

/** The tag that a port of this network has in the switch. */
export function tagOf({ vlan, vni }: Segment): number | null {
  return vni === undefined || vni === null ? vlan : tunnelTag
}

export type Datapath = 'system' | 'netdev'

/** A port of the bridge as it is to be. */
export interface PortSpec {
  readonly device: string
  readonly vlan: number | null
  /** what Open vSwitch is to give to an internal port, now and whenever it makes the device anew */
  readonly internal?: { readonly mac: string; readonly mtu: number }
  readonly externalIds: Readonly<Record<string, string>>
  /** the OpenFlow number that it is to have; unless told, or when another has it: any */
  readonly ofport?: number
  /** what it sends to its device at most; unless told: all */
  readonly limit?: RateLimit | null
}

/** A port of the bridge as it stands. */
export interface BridgePort {
  readonly uuid: string
  readonly device: string
  readonly vlan: number | null
  readonly externalIds: Readonly<Record<string, string>>
  /** null or -1 = ovs-vswitchd does not have the device */
  readonly ofport: number | null
  readonly error: string | null
}

export const portRow = z.object({
  _uuid: shapes.uuid,
  name: z.string(),
  tag: shapes.optional(z.number()),
  external_ids: shapes.map,
})
export const interfaceRow = z.object({
  name: z.string(),
  ofport: shapes.optional(z.number()),
  error: shapes.optional(z.string()),
  external_ids: shapes.map,
})

/** A bridge that lets nothing pass but by its flows; refused when there is one of that name. */
export function newBridge(
  name: string,
  { datapath, owner }: { readonly datapath: Datapath; readonly owner: string },
): readonly Operation[] {
  return [
    {
      op: 'wait',
      timeout: 0,
      table: 'Bridge',
      where: [['name', '==', name]],
      columns: ['name'],
      until: '==',
      rows: [],
    },
    { op: 'insert', table: 'Interface', 'uuid-name': 'local_if', row: { name: name, type: 'internal' } },
    {
      op: 'insert',
      table: 'Port',
      'uuid-name': 'local_port',
      row: { name: name, interfaces: ['named-uuid', 'local_if'] },
    },
    {
      op: 'insert',
      table: 'Bridge',
      'uuid-name': 'bridge',
      row: {
        name: name,
        datapath_type: datapath,
        fail_mode: 'secure',
        ports: ['named-uuid', 'local_port'],
        external_ids: ovsMap({ owner: owner }),
      },
    },
    { op: 'mutate', table: 'Open_vSwitch', where: [], mutations: [['bridges', 'insert', ['named-uuid', 'bridge']]] },
  ]
}

interface Place {
  readonly bridge: string
  readonly owner: string
  /** tells the new rows of one transaction apart */
  readonly index: number
}

/** A port on the bridge; refused when there is one of that name. */
export function newPort(
  { device, vlan, internal, externalIds, ofport }: PortSpec,
  { bridge, owner, index }: Place,
): readonly Operation[] {
  return [
    {
      op: 'wait',
      timeout: 0,
      table: 'Port',
      where: [['name', '==', device]],
      columns: ['name'],
      until: '==',
      rows: [],
    },
    {
      op: 'insert',
      table: 'Interface',
      'uuid-name': `if${index}`,
      row: {
        name: device,
        external_ids: ovsMap(externalIds),
        ...(ofport === undefined ? {} : { ofport_request: ofport }),
        ...interfaceColumns(internal),
      },
    },
    {
      op: 'insert',
      table: 'Port',
      'uuid-name': `port${index}`,
      row: {
        name: device,
        interfaces: ['named-uuid', `if${index}`],
        external_ids: ovsMap({ ...externalIds, owner: owner }),
        ...(vlan === null ? {} : { tag: vlan }),
      },
    },
    {
      op: 'mutate',
      table: 'Bridge',
      where: [['name', '==', bridge]],
      mutations: [['ports', 'insert', ['named-uuid', `port${index}`]]],
    },
  ]
}

function interfaceColumns(internal: PortSpec['internal']): Readonly<Record<string, unknown>> {
  return internal ? { type: 'internal', mac: internal.mac, mtu_request: internal.mtu } : {}
}

export function toBridgePort(
  port: z.output<typeof portRow>,
  seen: z.output<typeof interfaceRow> | undefined,
): BridgePort {
  return {
    uuid: port._uuid,
    device: port.name,
    vlan: port.tag,
    externalIds: { ...seen?.external_ids, ...port.external_ids },
    ofport: seen?.ofport ?? null,
    error: seen?.error ?? null,
  }
}

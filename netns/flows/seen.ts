/** What the flows in the switch do with the frames of each port. Source: ovs-ofctl(8), dump-flows */
import { tables } from './flow.ts'

/** What the switch does at present with frames that come in, and with those that are for a MAC address. */
export interface SeenFlows {
  /** OpenFlow number -> the network that its frames are put into: a tag, 0 = untagged, null = they are dropped */
  readonly entrances: ReadonlyMap<number, number | null>
  /** network and MAC, as in '100 fa:16:3e:00:00:01' -> the number of the port that has frames for it, null = they are dropped */
  readonly deliveries: ReadonlyMap<string, number | null>
}

function find(text: string, pattern: RegExp): number | null {
  const found = pattern.exec(text)?.[1]
  return found === undefined ? null : Number(found)
}

export function deliveryKey(vlan: number | null, mac: string): string {
  return `${vlan ?? 0} ${mac}`
}

function entrance(line: string): readonly (readonly [number, number | null])[] {
  const ofport = find(line, /priority=100,in_port=(\d+),vlan_tci=0x0000/)
  return ofport === null ? [] : [[ofport, find(line, /load:(0x[0-9a-f]+)->NXM_NX_REG6\[\]/)]]
}

function delivery(line: string): readonly (readonly [string, number | null])[] {
  const mac = /priority=100,reg6=.*vlan_tci=0x0000.*dl_dst=([0-9a-f:]{17}) /.exec(line)?.[1]
  if (mac === undefined) return []
  const vlan = find(line, /reg6=(0x[0-9a-f]+|\d+)/)
  return [[deliveryKey(vlan, mac), find(line, /load:(0x[0-9a-f]+)->NXM_NX_REG7\[\]/) ?? find(line, /output:(\d+)/)]]
}

/** @param lines of the whole dump */
export function seenFlows(lines: readonly string[]): SeenFlows {
  const of = (table: number): readonly string[] => lines.filter((line) => line.includes(` table=${table},`))
  return {
    entrances: new Map(of(tables.classify).flatMap(entrance)),
    deliveries: new Map(of(tables.deliver).flatMap(delivery)),
  }
}

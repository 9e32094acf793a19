/** A guest's way to the metadata service: over its own port, which is how the service knows who asks. */
import type { Vif } from '../../core/network.ts'
import { flow, load, tables as t, type Flows } from './flow.ts'

type Entry = readonly [string, string]

/** The address of the service in every cloud. */
export const metadataAddress = '169.254.169.254'
/** Nobody's MAC: in the service's own network all guests stand behind it. */
const behind = '02:00:00:00:ff:fe'

/** Where the metadata service is plugged. */
export interface MetadataPlace {
  readonly ofport: number
  readonly mac: string
}

/** Under which address the service sees the guest of a port: nothing that the guest says has a part in it. */
export function callerAddress(ofport: number): string {
  return `10.0.${ofport >> 8}.${ofport & 255}`
}

/** The port behind such an address. */
export function callerPort(address: string): number | null {
  const [, high, low] = /^(?:::ffff:)?10\.0\.(\d+)\.(\d+)$/.exec(address) ?? []
  return high === undefined || low === undefined ? null : (Number(high) << 8) + Number(low)
}

function number(mac: string): string {
  return `0x${mac.replaceAll(':', '')}`
}

/** The address itself as a number. */
const metadataNumber = '0xa9fea9fe'

/** Turns an ARP request into its answer, with this MAC. */
function answerWith(mac: string, sender: readonly string[]): readonly string[] {
  return [
    'move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[]',
    `mod_dl_src:${mac}`,
    load(2, 'NXM_OF_ARP_OP[]'),
    'move:NXM_NX_ARP_SHA[]->NXM_NX_ARP_THA[]',
    ...sender,
    load(number(mac), 'NXM_NX_ARP_SHA[]'),
    'IN_PORT',
  ]
}

/** The service asks for the MAC of whichever guest: the answer is always the same. */
export function metadataFlows({ ofport }: MetadataPlace): Flows {
  const swap = [
    'move:NXM_OF_ARP_TPA[]->NXM_NX_REG0[]',
    'move:NXM_OF_ARP_SPA[]->NXM_OF_ARP_TPA[]',
    'move:NXM_NX_REG0[]->NXM_OF_ARP_SPA[]',
  ]
  return new Map([flow(t.classify, 120, `arp,in_port=${ofport},arp_op=1`, ...answerWith(behind, swap))])
}

/** What is served there: pages, and the names of the network. */
const services = [
  { protocol: 'tcp', port: 80 },
  { protocol: 'tcp', port: 53 },
  { protocol: 'udp', port: 53 },
] as const

/** There and back again, for the first IPv4 address of a port. */
export function callerFlows({ mac, addresses }: Vif, ofport: number, place: MetadataPlace): readonly Entry[] {
  const address = addresses.map((one) => one.address).find((one) => !one.includes(':'))
  if (address === undefined) return []
  const caller = callerAddress(ofport)
  const guest = `in_port=${ofport},vlan_tci=0x0000,dl_src=${mac}`
  const itself = ['move:NXM_OF_ARP_SPA[]->NXM_OF_ARP_TPA[]', load(metadataNumber, 'NXM_OF_ARP_SPA[]')]
  return [
    flow(
      t.classify,
      120,
      `arp,${guest},arp_op=1,arp_spa=${address},arp_tpa=${metadataAddress}`,
      ...answerWith(place.mac, itself),
    ),
    ...services.flatMap(({ protocol, port }) => [
      flow(
        t.classify,
        120,
        `${protocol},${guest},nw_src=${address},nw_dst=${metadataAddress},tp_dst=${port}`,
        `mod_dl_dst:${place.mac}`,
        `mod_nw_src:${caller}`,
        `output:${place.ofport}`,
      ),
      flow(
        t.classify,
        120,
        `${protocol},in_port=${place.ofport},nw_dst=${caller},tp_src=${port}`,
        `mod_dl_dst:${mac}`,
        `mod_nw_dst:${address}`,
        `output:${ofport}`,
      ),
    ]),
  ]
}

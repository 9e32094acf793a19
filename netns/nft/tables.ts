/** Words of the two tables of nftables: see docs/networking.md for the picture. Source: nft(8) */
import { metadataAddress } from '../flows/metadata.ts'

/** A frame's mark says who sent it: these, or the number of a guest's port. */
export const marks = { host: 1, metadata: 2, firstPort: 100, lastPort: 65_535 } as const

/** The MAC address of the metadata service on every bridge: locally administered. */
export const serviceMac = '02:00:00:00:ff:fd'

/** How a set is declared. */
export interface SetWords {
  readonly family: 'bridge' | 'inet'
  readonly type: string
  /** whether its keys begin with the name of a device, which nft wants in quotes */
  readonly isOfDevices: boolean
  /** whether it has prefixes: such a set is always written as a whole */
  readonly isInterval: boolean
}

function ofBridge(type: string, isOfDevices = true, isInterval = false): SetWords {
  return { family: 'bridge', type, isOfDevices, isInterval }
}

function ofInet(type: string, isOfDevices = true, isInterval = false): SetWords {
  return { family: 'inet', type, isOfDevices, isInterval }
}

const sender4 = 'ifname . ether_addr . ipv4_addr'
const sender6 = 'ifname . ether_addr . ipv6_addr'
const intervals = 'flags interval;'

export const sets = {
  /** what becomes of a frame that comes in by a device, and of one that is to leave by it */
  ports: ofBridge('type ifname : verdict;'),
  heard: ofBridge('type ifname : verdict;'),
  marks: ofBridge('type ifname : mark;'),
  numbers: ofBridge('typeof oifname : meta priority;'),
  macs: ofBridge('type ifname . ether_addr;'),
  senders4: ofBridge(`type ${sender4};`),
  senders6: ofBridge(`type ${sender6};`),
  ranges4: ofBridge(`type ${sender4}; ${intervals}`, true, true),
  ranges6: ofBridge(`type ${sender6}; ${intervals}`, true, true),
  arps: ofBridge('type ifname . ether_addr . ether_addr . ipv4_addr;'),
  arpRanges: ofBridge(`type ifname . ether_addr . ether_addr . ipv4_addr; ${intervals}`, true, true),
  /** whom a neighbour advertisement may tell of; nft has no word for that field */
  targets: ofBridge('typeof iifname . ether saddr . @th,64,128;'),
  /** under which address the metadata service sees a port, and back */
  callers: ofBridge('type ifname : ipv4_addr;'),
  called: ofBridge('type ipv4_addr : ipv4_addr;', false),
  calledMacs: ofBridge('type ipv4_addr : ether_addr;', false),
  bridges: ofInet('type ifname;'),
  zones: ofInet('typeof iifname : ct zone;'),
  egress: ofInet('type mark : verdict;', false),
  ingress: ofInet('typeof meta priority : verdict;', false),
  gateways4: ofInet('type ifname . ipv4_addr;'),
  gateways6: ofInet('type ifname . ipv6_addr;'),
} as const satisfies Readonly<Record<string, SetWords>>

const ofMany = 'ether daddr & 01:00:00:00:00:00 == 01:00:00:00:00:00'

/** What finds routers, neighbours and listeners. Source: RFC 2710, RFC 3810, RFC 4861 */
const queries = '{ 130, 131, 132, 133, 135, 143 }'

/**
 * Chains that are there whatever the ports: type and hook, and rules. What most frames have is asked first, and of a packet of IPv4 nothing
 * that only others can be: each frame of each guest comes by.
 */
const bridgeChains: Readonly<Record<string, readonly string[]>> = {
  // A guest asks the metadata service: seen there under the address that is its port's, whatever its own is.
  calls: [
    'iifname . ether saddr . ip saddr != @senders4 return',
    'tcp dport { 53, 80 } goto service',
    'udp dport 53 goto service',
  ],
  service: [`ip saddr set iifname map @callers meta mark set ${marks.metadata} ether daddr set ${serviceMac} accept`],
  answers: [
    'ether type arp accept',
    'ether daddr set ip daddr map @calledMacs',
    `ip daddr set ip daddr map @called meta mark set ${marks.metadata} accept`,
    'drop',
  ],
  guarded: ['ether type vmap { ip : goto guarded4, ip6 : goto guarded6, arp : goto guardedArp }', 'drop'],
  guarded4: [
    `ip daddr ${metadataAddress} jump calls`,
    'ip protocol udp udp sport 67 drop',
    `${ofMany} drop`,
    'meta mark set iifname map @marks',
    'iifname . ether saddr . ip saddr @senders4 accept',
    'iifname . ether saddr . ip saddr @ranges4 accept',
    'drop',
  ],
  guarded6: [
    'meta l4proto ipv6-icmp jump neighbours',
    'ip6 nexthdr udp udp sport 547 drop',
    `${ofMany} drop`,
    'meta mark set iifname map @marks',
    'iifname . ether saddr . ip6 saddr @senders6 accept',
    'iifname . ether saddr . ip6 saddr @ranges6 accept',
    'drop',
  ],
  neighbours: [
    'icmpv6 type { 134, 137 } drop',
    'icmpv6 type 136 iifname . ether saddr . @th,64,128 @targets accept',
    'icmpv6 type 136 drop',
    'icmpv6 type { 131, 135, 143 } ip6 saddr :: iifname . ether saddr @macs accept',
    `icmpv6 type ${queries} iifname . ether saddr . ip6 saddr @senders6 accept`,
    `icmpv6 type ${queries} iifname . ether saddr . ip6 saddr @ranges6 accept`,
    `icmpv6 type ${queries} drop`,
  ],
  guardedArp: [
    'arp operation != request arp saddr ip 0.0.0.0 drop',
    'iifname . ether saddr . arp saddr ether . arp saddr ip @arps accept',
    'iifname . ether saddr . arp saddr ether . arp saddr ip @arpRanges accept',
    'drop',
  ],
  free: ['ether type { 8021q, 8021ad } drop', `ip daddr ${metadataAddress} jump calls`, 'meta mark set 0', 'accept'],
  host: [`meta mark set ${marks.host}`, 'accept'],
  foreign: ['meta mark set 0', 'accept'],
  // To many at once a frame goes past the rules of each receiver: only what finds neighbours does.
  many: ['ether type arp accept', 'icmpv6 type { 130-136, 143 } accept', 'drop'],
  hears: [
    `${ofMany} goto many`,
    'oifname . ether daddr != @macs drop',
    'meta priority set oifname map @numbers',
    'accept',
  ],
  hearsAll: [`${ofMany} goto many`, 'meta priority set 0:0', 'accept'],
  sender: ['iifname vmap @ports'],
  receiver: ['oifname vmap @heard'],
}

/**
 * The first direction of a connection is held to the rules with each packet, so that a revoked rule ends it at once: it is marked, and
 * answers pass no longer either.
 */
const inetChains: Readonly<Record<string, readonly string[]>> = {
  tracked: [`meta mark ${marks.metadata} iifname @bridges notrack accept`, 'ct zone set iifname map @zones'],
  known: [
    'ct direction reply ct mark 0 accept',
    'ct direction reply drop',
    'icmpv6 type { 130-136, 143 } accept',
    'ct state invalid drop',
    'ct state related ct mark 0 accept',
    'ct state related drop',
  ],
  cut: ['ct state established ct mark set 1', 'counter drop'],
  fromHost: [
    `meta mark != ${marks.host} return`,
    'iifname . ip saddr @gateways4 accept',
    'iifname . ip6 saddr @gateways6 accept',
  ],
  // A port whose rules are not there yet has none that lets anything pass.
  leaving: ['iifname != @bridges accept', 'meta mark vmap @egress', `meta mark >= ${marks.firstPort} drop`],
  entering: [
    'iifname != @bridges accept',
    `meta mark ${marks.metadata} accept`,
    'meta priority vmap @ingress',
    'meta priority != 0:0 drop',
  ],
  // Both sides let it pass: a connection that was cut is good again.
  passed: ['ct mark 1 ct direction original iifname @bridges ct mark set 0'],
}

/**
 * Where the kernel calls a chain. The bridge's own hooks come first, at -200; at 0 br_netfilter shows the packet to conntrack and to the
 * chains of family inet, whose forward hook runs inside the bridge's. Source: linux/netfilter_bridge.h, br_netfilter_hooks.c
 */
const hooks: Readonly<Record<string, string>> = {
  sender: 'type filter hook prerouting priority -200; policy accept;',
  receiver: 'type filter hook forward priority -200; policy accept;',
  tracked: 'type filter hook prerouting priority -300; policy accept;',
  leaving: 'type filter hook forward priority 0; policy accept;',
  entering: 'type filter hook forward priority 1; policy accept;',
  passed: 'type filter hook forward priority 2; policy accept;',
}

function familyLines(family: SetWords['family'], owner: string): readonly string[] {
  const chains = Object.entries(family === 'bridge' ? bridgeChains : inetChains)
  const table = `${family} ${owner}`
  return [
    `add table ${table}`,
    ...Object.entries(sets)
      .filter(([, words]) => words.family === family)
      .map(([name, { type }]) => `add ${type.includes(' : ') ? 'map' : 'set'} ${table} ${name} { ${type} }`),
    ...chains.map(([name]) => `add chain ${table} ${name}${hooks[name] === undefined ? '' : ` { ${hooks[name]} }`}`),
    ...chains.flatMap(([name, rules]) => [
      `flush chain ${table} ${name}`,
      ...rules.map((rule) => `add rule ${table} ${name} ${rule}`),
    ]),
  ]
}

/** Makes both tables, or gives back what somebody changed of them; elements stay. */
export function baseLines(owner: string): readonly string[] {
  return [...familyLines('bridge', owner), ...familyLines('inet', owner)]
}

/** Chains of family inet that are there whatever the ports. */
export const fixedChains: ReadonlySet<string> = new Set(Object.keys(inetChains))

/** Words of the network: networks, subnets, ports as rows; a vif is a port plugged on a host. */

/** One address of a vif, with all that the guest needs to use it. */
export interface VifAddress {
  /** such as '10.0.4.17' or 'fd00::17', without prefix length */
  readonly address: string
  readonly prefixLength: number
  /** null on an isolated subnet */
  readonly gateway: string | null
  /** of its subnet; none unless told */
  readonly routes?: readonly HostRoute[]
}

/** A way out of a subnet beside its gateway. */
export interface HostRoute {
  /** such as '10.9.0.0/16' */
  readonly destination: string
  readonly nexthop: string
}

/** Addresses that a port may send from beside its own. */
export interface AddressPair {
  /** an address or a subnet */
  readonly address: string
  /** null = the port's own */
  readonly mac: string | null
}

/** An address that a port has no more, and its guest is to lose. */
export interface GoneAddress {
  readonly portId: string
  readonly address: string
  readonly prefixLength: number
}

/** What a port may send, and who may talk to it. */
export interface PortSecurity {
  /** security groups of the port; none = nobody */
  readonly groupIds: readonly string[]
  readonly addressPairs: readonly AddressPair[]
}

/** A rule lets traffic pass; what no rule of a port's groups lets pass is dropped. */
export interface GroupRule {
  readonly id: string
  readonly direction: 'ingress' | 'egress'
  readonly family: 4 | 6
  /** a name such as 'tcp', a number in text, or null = all */
  readonly protocol: string | null
  /** of ICMP: the type */
  readonly portMin: number | null
  /** of ICMP: the code */
  readonly portMax: number | null
  /** whom the traffic comes from or goes to; null, as the group = anybody */
  readonly remotePrefix: string | null
  readonly remoteGroupId: string | null
}

/** A group with the rules that hold on its ports. */
export interface SecurityGroup {
  readonly id: string
  readonly rules: readonly GroupRule[]
}

/** What the ports of one host are held to. */
export interface Policy {
  readonly groups: readonly SecurityGroup[]
  /** addresses and prefixes of the members of each group that a rule names as its remote */
  readonly members: ReadonlyMap<string, readonly string[]>
}

/** kbit/s and kbit; null = no limit. */
export interface RateLimit {
  readonly rate: number
  readonly burst: number
}

/** What tells a network from the others on the wire: a tag, or a number in tunnels, or neither. */
export interface Segment {
  readonly vlan: number | null
  readonly vni?: number | null
}

/** A port as it is to stand on a host. The name of the host's end of the veth pair is `hostDevice(portId)`. */
export interface Vif {
  readonly portId: string
  readonly serverId: string
  /** such as 'fa:16:3e:01:02:03' */
  readonly mac: string
  readonly addresses: readonly VifAddress[]
  readonly dns: readonly string[]
  readonly mtu: number
  /** 802.1Q tag, or null for an untagged (flat) network and for one in tunnels */
  readonly vlan: number | null
  /** number of the network in the tunnels between hosts (VXLAN); null or not told = its frames are not in tunnels */
  readonly vni?: number | null
  /** the name inside the guest: eth0, eth1, ... */
  readonly device: string
  /** whether port and network are administratively up: else nothing passes; yes unless told */
  readonly isUp?: boolean
  /** null = port security is off: it may send what it likes, and anybody may talk to it */
  readonly security: PortSecurity | null
  /** towards the guest, and from it */
  readonly inbound: RateLimit | null
  readonly outbound: RateLimit | null
}

/** The interface name on the host of a port's veth: Neutron's form, 'tap' and the first 11 characters of the id. */
export function hostDevice(portId: string): string {
  return `tap${portId.slice(0, 11)}`
}

/** The device of a network's gateway on a host: 13 of the 15 characters that the kernel allows. */
export function gatewayDevice(networkId: string): string {
  return `gw${networkId.slice(0, 11)}`
}

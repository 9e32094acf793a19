import { z } from 'zod'

/** Wires and addresses. */
export const network = {
  vifType: z
    .enum(['ovs', 'bridge'])
    .default('ovs')
    .describe(
      'what guests of this host are plugged into: Open vSwitch, or a Linux bridge per network with nftables, which is faster where the kernel lacks the datapath of Open vSwitch',
    ),
  ovsSocket: z
    .string()
    .nullable()
    .default(null)
    .describe("path of ovsdb-server's socket; null = the running one, else one of our own"),
  datapath: z
    .enum(['auto', 'system', 'netdev'])
    .default('auto')
    .describe('Open vSwitch datapath; auto = system where the kernel has it'),
  switchNamespace: z
    .string()
    .startsWith('/')
    .nullable()
    .default(null)
    .describe(
      "path of the network namespace that Open vSwitch's devices stand in; null = the host's own; set where several hosts share a machine",
    ),
  bridge: z
    .string()
    .max(15)
    .default('br-berth')
    .describe('name of the integration bridge (an interface name, 15 characters at most)'),
  uplink: z
    .string()
    .max(15)
    .nullable()
    .default(null)
    .describe(
      'a NIC or bond that becomes a trunk of the integration bridge, all VLANs tagged; it is to carry nothing else',
    ),
  tunnelAddress: z
    .string()
    .nullable()
    .default(null)
    .describe(
      "address of this host at which other hosts reach the tunnels (VXLAN) of guests' networks; null = networks of type vxlan end at this host",
    ),
  gateways: z
    .enum(['guests', 'all', 'none'])
    .default('guests')
    .describe(
      "whose networks' gateways this host answers for: those of its guests, all, or none because another host or a router does",
    ),
  networkName: z.string().default('private').describe('name of the network that up creates'),
  networkCidr: z
    .string()
    .default('10.77.0.0/22')
    .describe('its subnet; the first address is the gateway, on this host'),
  networkVlan: z.coerce
    .number()
    .int()
    .min(1)
    .max(4094)
    .nullable()
    .default(100)
    .describe('its 802.1Q tag; null = untagged'),
  networkMtu: z.coerce
    .number()
    .int()
    .min(576)
    .max(9216)
    .default(1500)
    .describe('bytes: MTU of networks that name none'),
  dnsServers: z.array(z.string()).default([]).describe('resolvers of subnets that name none'),
  hostReachesGuests: z
    .stringbool()
    .or(z.boolean())
    .default(true)
    .describe(
      "true/false: the host's own address in a subnet may open connections to guests whatever their security groups say: operators reach guests from their host",
    ),
  quarantineSeconds: z.coerce
    .number()
    .int()
    .min(0)
    .default(300)
    .describe('seconds a released address rests, so that neighbours forget its old MAC'),
}

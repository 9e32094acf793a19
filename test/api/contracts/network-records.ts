/** What stands in Neutron: networks, subnets, ports, groups and their rules, QoS policies. */
import { isIP } from 'node:net'
import { z } from 'zod'
import { seconds, text, texts, whole } from './words.ts'

export const uuid = z.uuid()
const address = text.refine((given) => isIP(given) !== 0, 'is no address')
const cidr = z.union([z.cidrv4(), z.cidrv6()])
const standard = {
  id: uuid,
  name: text,
  description: text,
  tenant_id: text,
  project_id: text,
  tags: texts,
  revision_number: whole,
  created_at: seconds,
  updated_at: seconds,
}
const vnicType = { 'binding:vnic_type': z.enum(['normal']) }

export const network = z.strictObject({
  ...standard,
  admin_state_up: z.boolean(),
  status: z.enum(['ACTIVE', 'DOWN', 'BUILD', 'ERROR']),
  shared: z.boolean(),
  subnets: z.array(uuid),
  mtu: whole,
  'router:external': z.boolean(),
  port_security_enabled: z.boolean(),
  qos_policy_id: uuid.nullable(),
  availability_zones: texts,
  availability_zone_hints: texts,
  ipv4_address_scope: z.null(),
  ipv6_address_scope: z.null(),
  'provider:network_type': z.enum(['vlan', 'flat', 'vxlan']).optional(),
  'provider:physical_network': text.nullable().optional(),
  'provider:segmentation_id': whole.nullable().optional(),
})
export const subnet = z.strictObject({
  ...standard,
  network_id: uuid,
  ip_version: z.literal([4, 6]),
  cidr,
  gateway_ip: address.nullable(),
  enable_dhcp: z.boolean(),
  dns_nameservers: z.array(address),
  allocation_pools: z.array(z.strictObject({ start: address, end: address })),
  host_routes: z.array(z.strictObject({ destination: cidr, nexthop: address })),
  ipv6_address_mode: z.null(),
  ipv6_ra_mode: z.null(),
  subnetpool_id: z.null(),
  service_types: texts,
})
export const port = z.strictObject({
  ...standard,
  network_id: uuid,
  mac_address: z.mac(),
  admin_state_up: z.boolean(),
  status: z.enum(['ACTIVE', 'DOWN', 'BUILD', 'ERROR']),
  device_id: text,
  device_owner: text,
  fixed_ips: z.array(z.strictObject({ subnet_id: uuid, ip_address: address })),
  security_groups: z.array(uuid),
  allowed_address_pairs: z.array(z.strictObject({ ip_address: text, mac_address: z.mac() })),
  extra_dhcp_opts: z.tuple([]),
  port_security_enabled: z.boolean(),
  qos_policy_id: uuid.nullable(),
  dns_name: text,
  dns_assignment: z.array(z.strictObject({ hostname: text, ip_address: address, fqdn: text })),
  ...vnicType,
  'binding:host_id': text.optional(),
  'binding:vif_type': z.enum(['unbound', 'ovs', 'bridge', 'tap', 'macvlan', 'ipvlan', 'veth', 'other']).optional(),
  'binding:vif_details': z.record(text, z.unknown()).optional(),
  'binding:profile': z.record(text, z.unknown()).optional(),
})
export const rule = z.strictObject({
  id: uuid,
  security_group_id: uuid,
  tenant_id: text,
  project_id: text,
  direction: z.enum(['ingress', 'egress']),
  ethertype: z.enum(['IPv4', 'IPv6']),
  protocol: text.nullable(),
  port_range_min: whole.nullable(),
  port_range_max: whole.nullable(),
  remote_ip_prefix: text.nullable(),
  remote_group_id: uuid.nullable(),
  remote_address_group_id: z.null(),
  normalized_cidr: cidr.nullable(),
  description: text,
  tags: texts,
  revision_number: whole,
  created_at: seconds,
  updated_at: seconds,
})
export const group = z.strictObject({
  ...standard,
  security_group_rules: z.array(rule),
  stateful: z.boolean(),
  shared: z.boolean(),
})
export const limitRule = z.strictObject({
  id: uuid,
  max_kbps: whole,
  max_burst_kbps: whole,
  direction: z.enum(['ingress', 'egress']),
})
export const policy = z.strictObject({
  ...standard,
  shared: z.boolean(),
  is_default: z.boolean(),
  rules: z.array(limitRule.extend({ type: z.literal('bandwidth_limit'), qos_policy_id: uuid })),
})

/** What a subnet may be told, new or changed. Source: neutron's db/db_base_plugin_v2.py, _validate_subnet. */
import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'
import { z } from 'zod'
import type { HostRoute } from '../../core/network.ts'
import { NetworkError } from '../../core/network-errors.ts'
import type { Range } from '../../ipam/subnet.ts'
import { contains, isIpv4 } from './subnet-of.ts'
import { flag, whole } from './values.ts'

/** Whole, and without the name of an interface. */
export const address = z
  .string()
  .refine((text) => isIP(text) !== 0 && !text.includes('%'), { error: 'is not a valid IP address' })
const cidr = z.string().refine((text) => ipaddr.isValidCIDR(text), { error: 'is not a valid IP subnet' })
const pools = z.array(z.strictObject({ start: address, end: address }))
const routes = z.array(z.strictObject({ destination: cidr, nexthop: address })).max(20)

export const wantedSubnet = z.strictObject({
  network_id: z.string(),
  cidr,
  ip_version: whole(z.union([z.literal(4), z.literal(6)])).optional(),
  name: z.string().max(255).default(''),
  description: z.string().max(255).default(''),
  gateway_ip: address.nullable().optional(),
  enable_dhcp: flag.default(true),
  dns_nameservers: z.array(address).max(5).default([]),
  allocation_pools: pools.optional(),
  host_routes: routes.default([]),
  ipv6_address_mode: z.null().optional(),
  ipv6_ra_mode: z.null().optional(),
  service_types: z.array(z.string()).max(0).optional(),
  subnetpool_id: z.null().optional(),
  tenant_id: z.string().optional(),
  project_id: z.string().optional(),
})
export type WantedSubnet = z.output<typeof wantedSubnet>

export const subnetChanges = z.strictObject({
  subnet: z.strictObject({
    name: z.string().max(255).optional(),
    description: z.string().max(255).optional(),
    gateway_ip: address.nullable().optional(),
    enable_dhcp: flag.optional(),
    dns_nameservers: z.array(address).max(5).optional(),
    allocation_pools: pools.optional(),
    host_routes: routes.optional(),
    service_types: z.array(z.string()).max(0).optional(),
  }),
})
export type SubnetChanges = z.output<typeof subnetChanges>['subnet']

/** 10.0.0.7/24 is 10.0.0.0/24. */
export function canonical(text: string): string {
  const base = isIpv4(text) ? ipaddr.IPv4.networkAddressFromCIDR(text) : ipaddr.IPv6.networkAddressFromCIDR(text)
  return `${base.toString()}/${text.split('/')[1] ?? ''}`
}

export function rangesIn(asked: NonNullable<WantedSubnet['allocation_pools']>): readonly Range[] {
  return asked.map(({ start, end }) => ({ first: start, last: end }))
}

/** @throws NetworkError when it lies outside */
export function checkGateway(subnetCidr: string, gateway: string | null): void {
  if (gateway !== null && !contains(subnetCidr, gateway))
    throw new NetworkError(
      'InvalidInput',
      `Invalid input for operation: Gateway is not valid on subnet: ${gateway} is outside of ${subnetCidr}.`,
    )
}

/** @throws NetworkError when a route is not of the subnet's family */
export function hostRoutesIn(subnetCidr: string, asked: readonly HostRoute[]): readonly HostRoute[] {
  return asked.map(({ destination, nexthop }) => {
    if (isIpv4(destination) !== isIpv4(subnetCidr) || isIpv4(nexthop) !== isIpv4(subnetCidr))
      throw new NetworkError(
        'HostRouteInvalid',
        `The route to ${destination} via ${nexthop} is not of the family of ${subnetCidr}.`,
      )
    return { destination: canonical(destination), nexthop }
  })
}

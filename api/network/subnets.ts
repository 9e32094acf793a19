import { randomUUID } from 'node:crypto'
import ipaddr from 'ipaddr.js'
import { z } from 'zod'
import { Forbidden, Invalid } from '../../core/errors.ts'
import {
  deleteSubnet,
  getNetwork,
  getSubnet,
  insertSubnet,
  listSubnets,
  type SubnetWithRanges,
} from '../../db/networks.ts'
import { firstAddress } from '../../ipam/default-network.ts'
import { createRanges, dropRanges } from '../../ipam/ranges.ts'
import { parseBody } from '../body.ts'
import { viewerOf } from '../caller.ts'
import type { Call, Reply } from '../route.ts'
import { fieldsOf, flagOf, pageIn, projectFilter, valueOf, valuesOf } from './filters.ts'
import { contains, isIpv4 } from './subnet-of.ts'
import { seconds } from './times.ts'

type Json = Readonly<Record<string, unknown>>

function subnetView(subnet: SubnetWithRanges): Json {
  return {
    id: subnet.id,
    name: subnet.name,
    description: subnet.description,
    network_id: subnet.networkId,
    tenant_id: subnet.projectId,
    project_id: subnet.projectId,
    ip_version: isIpv4(subnet.cidr) ? 4 : 6,
    cidr: subnet.cidr,
    gateway_ip: subnet.gateway,
    enable_dhcp: subnet.dhcp,
    dns_nameservers: subnet.dnsServers,
    allocation_pools: subnet.ranges.map(({ first, last }) => ({ start: first, end: last })),
    host_routes: [],
    ipv6_address_mode: null,
    ipv6_ra_mode: null,
    subnetpool_id: null,
    service_types: [],
    tags: [],
    revision_number: 1,
    created_at: seconds(subnet.createdAt),
    updated_at: seconds(subnet.updatedAt),
  }
}

function isOfVersion(query: URLSearchParams): (subnet: SubnetWithRanges) => boolean {
  const version = query.get('ip_version')
  return ({ cidr }) => version === null || version === (isIpv4(cidr) ? '4' : '6')
}

export async function index(call: Call): Promise<Reply> {
  const { query, db } = call
  const dhcp = flagOf(query, 'enable_dhcp')
  const rows = await listSubnets(
    db,
    {
      ids: valuesOf(query, 'id'),
      names: valuesOf(query, 'name'),
      networkIds: valuesOf(query, 'network_id'),
      projectId: projectFilter(query),
      cidr: valueOf(query, 'cidr'),
    },
    viewerOf(call.caller),
  )
  const shown = rows.filter(isOfVersion(query)).filter((row) => dhcp === null || row.dhcp === dhcp)
  return { status: 200, body: { subnets: pageIn(query, shown).map((row) => fieldsOf(query, subnetView(row))) } }
}

export async function show(call: Call): Promise<Reply> {
  const subnet = await getSubnet(call.db, call.params.id ?? '', viewerOf(call.caller))
  return { status: 200, body: { subnet: fieldsOf(call.query, subnetView(subnet)) } }
}

const address = z.string().refine((text) => ipaddr.isValid(text), { error: 'is not a valid IP address' })
const body = z.strictObject({
  subnet: z.strictObject({
    network_id: z.string(),
    cidr: z.string().refine((text) => ipaddr.isValidCIDR(text), { error: 'is not a valid IP subnet' }),
    ip_version: z.union([z.literal(4), z.literal(6)]).optional(),
    name: z.string().max(255).default(''),
    description: z.string().max(255).default(''),
    gateway_ip: address.nullable().optional(),
    enable_dhcp: z.boolean().default(true),
    dns_nameservers: z.array(address).max(5).default([]),
    allocation_pools: z.array(z.strictObject({ start: address, end: address })).optional(),
    host_routes: z.array(z.unknown()).max(0).optional(),
    ipv6_address_mode: z.null().optional(),
    ipv6_ra_mode: z.null().optional(),
    service_types: z.array(z.string()).max(0).optional(),
    tenant_id: z.string().optional(),
    project_id: z.string().optional(),
  }),
})
type Wanted = z.output<typeof body>['subnet']

/** 10.0.0.7/24 is 10.0.0.0/24. */
function canonical(cidr: string): string {
  const base = isIpv4(cidr) ? ipaddr.IPv4.networkAddressFromCIDR(cidr) : ipaddr.IPv6.networkAddressFromCIDR(cidr)
  return `${base.toString()}/${cidr.split('/')[1] ?? ''}`
}

/** None asked for = the first address; null = the subnet has none. */
function gatewayOf({ gateway_ip: gateway }: Wanted, cidr: string): string | null {
  if (gateway === undefined) return firstAddress(cidr)
  if (gateway !== null && !contains(cidr, gateway))
    throw new Invalid(`Gateway is not valid on subnet: ${gateway} is outside of ${cidr}.`)
  return gateway
}

export async function create(call: Call): Promise<Reply> {
  const { subnet: wanted } = parseBody(body, call.body)
  const viewer = viewerOf(call.caller)
  const network = await getNetwork(call.db, wanted.network_id, viewer)
  if (!viewer.isAdmin && network.projectId !== viewer.projectId)
    throw new Forbidden("Policy doesn't allow create_subnet to be performed.")
  const cidr = canonical(wanted.cidr)
  if (wanted.ip_version !== undefined && (wanted.ip_version === 4) !== isIpv4(cidr))
    throw new Invalid(
      `Invalid input for operation: Requested subnet ${cidr} is not of IP version ${wanted.ip_version}.`,
    )
  const { name, description, enable_dhcp: dhcp, dns_nameservers: dnsServers, allocation_pools: pools } = wanted
  const id = randomUUID()
  await call.db.transaction(async (trx) => {
    const subnet = await insertSubnet(trx, {
      id,
      networkId: network.id,
      projectId: network.projectId,
      name,
      description,
      cidr,
      gateway: gatewayOf(wanted, cidr),
      dnsServers: dnsServers.length > 0 ? dnsServers : call.config.dnsServers,
      dhcp,
      quarantineSeconds: call.config.quarantineSeconds,
    })
    await createRanges(trx, subnet, pools?.map(({ start, end }) => ({ first: start, last: end })) ?? null)
  })
  return { status: 201, body: { subnet: subnetView(await getSubnet(call.db, id, viewer)) } }
}

export async function remove(call: Call): Promise<Reply> {
  const subnet = await getSubnet(call.db, call.params.id ?? '', viewerOf(call.caller))
  if (!call.caller.isAdmin && subnet.projectId !== call.caller.projectId)
    throw new Forbidden("Policy doesn't allow delete_subnet to be performed.")
  await call.db.transaction(async (trx) => {
    await dropRanges(trx, subnet.id)
    await deleteSubnet(trx, subnet.id)
  })
  return { status: 204 }
}

import { randomUUID } from 'node:crypto'
import type { Transaction } from '../../db/connect.ts'
import { withinNetworkQuota } from '../../db/network-quotas.ts'
import {
  deleteSubnet,
  getNetwork,
  getSubnet,
  insertSubnet,
  listSubnets,
  updateSubnet,
  type SubnetWithRanges,
} from '../../db/networks.ts'
import { NetworkError } from '../../core/network-errors.ts'
import { firstAddress } from '../../ipam/default-network.ts'
import { changeRanges, createRanges, dropRanges } from '../../ipam/ranges.ts'
import { parseBody } from '../body.ts'
import { viewerOf } from '../caller.ts'
import type { Call, Reply } from '../route.ts'
import { createEach } from './bulk.ts'
import { fieldsOf, projectFilter, valueOf, valuesOf } from './filters.ts'
import { listed } from './listing.ts'
import { refuseIfNotOwner } from './owner.ts'
import {
  canonical,
  checkGateway,
  hostRoutesIn,
  rangesIn,
  subnetChanges,
  wantedSubnet,
  type SubnetChanges,
  type WantedSubnet,
} from './subnet-body.ts'
import { isIpv4 } from './subnet-of.ts'
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
    host_routes: subnet.hostRoutes,
    ipv6_address_mode: null,
    ipv6_ra_mode: null,
    subnetpool_id: null,
    service_types: [],
    tags: subnet.tags,
    revision_number: subnet.revision,
    created_at: seconds(subnet.createdAt),
    updated_at: seconds(subnet.updatedAt),
  }
}

export async function index(call: Call): Promise<Reply> {
  const { query, db } = call
  const filter = {
    ids: valuesOf(query, 'id'),
    names: valuesOf(query, 'name'),
    networkIds: valuesOf(query, 'network_id'),
    projectId: projectFilter(query),
    cidr: valueOf(query, 'cidr'),
  }
  return listed(call, 'subnets', (await listSubnets(db, filter, viewerOf(call.caller))).map(subnetView))
}

async function viewOf(call: Call, id: string): Promise<Json> {
  return subnetView(await getSubnet(call.db, id, viewerOf(call.caller)))
}

export async function show(call: Call): Promise<Reply> {
  return { status: 200, body: { subnet: fieldsOf(call.query, await viewOf(call, call.params.id ?? '')) } }
}

async function make(trx: Transaction, call: Call, wanted: WantedSubnet): Promise<string> {
  const network = await getNetwork(trx, wanted.network_id, viewerOf(call.caller))
  refuseIfNotOwner(call, network, 'create_subnet')
  const cidr = canonical(wanted.cidr)
  if (wanted.ip_version !== undefined && (wanted.ip_version === 4) !== isIpv4(cidr))
    throw new NetworkError('InvalidInput', `Requested subnet ${cidr} is not of IP version ${wanted.ip_version}.`)
  // None asked for = the first address; null = the subnet has none.
  const gateway = wanted.gateway_ip === undefined ? firstAddress(cidr) : wanted.gateway_ip
  checkGateway(cidr, gateway)
  const subnet = await insertSubnet(trx, {
    id: randomUUID(),
    networkId: network.id,
    projectId: network.projectId,
    name: wanted.name,
    description: wanted.description,
    cidr,
    gateway,
    dnsServers: wanted.dns_nameservers.length > 0 ? wanted.dns_nameservers : call.config.dnsServers,
    dhcp: wanted.enable_dhcp,
    quarantineSeconds: call.config.quarantineSeconds,
    hostRoutes: hostRoutesIn(cidr, wanted.host_routes),
  })
  await createRanges(trx, subnet, wanted.allocation_pools ? rangesIn(wanted.allocation_pools) : null)
  await withinNetworkQuota(trx, network.projectId, 'subnet')
  return subnet.id
}

export async function create(call: Call): Promise<Reply> {
  return await createEach(call, { one: 'subnet', many: 'subnets' }, wantedSubnet, {
    make: (trx, wanted) => make(trx, call, wanted),
    view: (id) => viewOf(call, id),
  })
}

async function change(trx: Transaction, subnet: SubnetWithRanges, wanted: SubnetChanges): Promise<void> {
  const gateway = wanted.gateway_ip === undefined ? subnet.gateway : wanted.gateway_ip
  checkGateway(subnet.cidr, gateway)
  await updateSubnet(trx, subnet, {
    name: wanted.name ?? subnet.name,
    description: wanted.description ?? subnet.description,
    gateway,
    dhcp: wanted.enable_dhcp ?? subnet.dhcp,
    dnsServers: wanted.dns_nameservers ?? subnet.dnsServers,
    hostRoutes: wanted.host_routes ? hostRoutesIn(subnet.cidr, wanted.host_routes) : subnet.hostRoutes,
  })
  if (wanted.allocation_pools !== undefined || gateway !== subnet.gateway) {
    const ranges = wanted.allocation_pools ? rangesIn(wanted.allocation_pools) : subnet.ranges
    await changeRanges(trx, { ...subnet, gateway }, ranges)
  }
}

export async function update(call: Call): Promise<Reply> {
  const { subnet: wanted } = parseBody(subnetChanges, call.body)
  const subnet = await getSubnet(call.db, call.params.id ?? '', viewerOf(call.caller))
  refuseIfNotOwner(call, subnet, 'update_subnet')
  await call.db.transaction((trx) => change(trx, subnet, wanted))
  return { status: 200, body: { subnet: await viewOf(call, subnet.id) } }
}

export async function remove(call: Call): Promise<Reply> {
  const subnet = await getSubnet(call.db, call.params.id ?? '', viewerOf(call.caller))
  refuseIfNotOwner(call, subnet, 'delete_subnet')
  await call.db.transaction(async (trx) => {
    await dropRanges(trx, subnet.id)
    await deleteSubnet(trx, subnet.id)
  })
  return { status: 204 }
}

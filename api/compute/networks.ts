/** os-networks and os-tenant-networks: Neutron's networks, as Nova had them before 2.36. */
import { getNetwork, listNetworks, type NetworkWithSubnets } from '../../db/networks.ts'
import { viewerOf } from '../caller.ts'
import type { Call, Reply } from '../route.ts'

type Json = Readonly<Record<string, unknown>>

/** What nova-network knew of a network and Neutron does not. Source: nova/api/openstack/compute/networks.py. */
const unknown = [
  'bridge',
  'broadcast',
  'cidr',
  'cidr_v6',
  'dns1',
  'dns2',
  'gateway',
  'gateway_v6',
  'netmask',
  'netmask_v6',
] as const
const unknownToUsers = [
  'bridge_interface',
  'created_at',
  'deleted',
  'deleted_at',
  'dhcp_start',
  'host',
  'injected',
  'multi_host',
  'priority',
  'project_id',
  'rxtx_base',
  'updated_at',
  'vlan',
  'vpn_private_address',
  'vpn_public_address',
  'vpn_public_port',
  'mtu',
  'dhcp_server',
  'enable_dhcp',
  'share_address',
] as const

function networkView({ id, name }: NetworkWithSubnets, { caller }: Call): Json {
  const names = caller.isAdmin ? [...unknown, ...unknownToUsers] : unknown
  return { ...Object.fromEntries(names.map((field) => [field, null])), id, label: name }
}

function tenantView({ id, name }: NetworkWithSubnets): Json {
  return { id, label: name, cidr: 'None' }
}

export async function index(call: Call): Promise<Reply> {
  const rows = await listNetworks(call.db, {}, viewerOf(call.caller))
  return { status: 200, body: { networks: rows.map((row) => networkView(row, call)) } }
}

export async function show(call: Call): Promise<Reply> {
  const row = await getNetwork(call.db, call.params.id ?? '', viewerOf(call.caller))
  return { status: 200, body: { network: networkView(row, call) } }
}

export async function tenantIndex(call: Call): Promise<Reply> {
  const rows = await listNetworks(call.db, {}, viewerOf(call.caller))
  return { status: 200, body: { networks: rows.map(tenantView) } }
}

export async function tenantShow(call: Call): Promise<Reply> {
  const row = await getNetwork(call.db, call.params.id ?? '', viewerOf(call.caller))
  return { status: 200, body: { network: tenantView(row) } }
}

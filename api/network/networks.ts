import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { Forbidden } from '../../core/errors.ts'
import {
  deleteNetwork,
  freeVlan,
  getNetwork,
  insertNetwork,
  listNetworks,
  type NetworkWithSubnets,
} from '../../db/networks.ts'
import { dropRanges } from '../../ipam/ranges.ts'
import { parseBody } from '../body.ts'
import { viewerOf } from '../caller.ts'
import { allow } from '../policy.ts'
import type { Call, Reply } from '../route.ts'
import { fieldsOf, flagOf, pageIn, projectFilter, valuesOf } from './filters.ts'
import { ownerOf } from './owner.ts'
import { seconds } from './times.ts'

type Json = Readonly<Record<string, unknown>>

function networkView(network: NetworkWithSubnets, { caller }: Call): Json {
  const provider = {
    'provider:network_type': network.vlan === null ? 'flat' : 'vlan',
    'provider:physical_network': 'physnet1',
    'provider:segmentation_id': network.vlan,
  }
  return {
    id: network.id,
    name: network.name,
    description: network.description,
    tenant_id: network.projectId,
    project_id: network.projectId,
    admin_state_up: network.adminStateUp,
    status: 'ACTIVE',
    shared: network.shared,
    subnets: network.subnets,
    mtu: network.mtu,
    'router:external': false,
    port_security_enabled: true,
    availability_zones: ['nova'],
    availability_zone_hints: [],
    ipv4_address_scope: null,
    ipv6_address_scope: null,
    tags: [],
    revision_number: 1,
    created_at: seconds(network.createdAt),
    updated_at: seconds(network.updatedAt),
    ...(caller.isAdmin ? provider : {}),
  }
}

export async function index(call: Call): Promise<Reply> {
  const { query, db } = call
  if (flagOf(query, 'router:external') === true) return { status: 200, body: { networks: [] } }
  const rows = await listNetworks(
    db,
    {
      ids: valuesOf(query, 'id'),
      names: valuesOf(query, 'name'),
      projectId: projectFilter(query),
      shared: flagOf(query, 'shared'),
    },
    viewerOf(call.caller),
  )
  return { status: 200, body: { networks: pageIn(query, rows).map((row) => fieldsOf(query, networkView(row, call))) } }
}

export async function show(call: Call): Promise<Reply> {
  const network = await getNetwork(call.db, call.params.id ?? '', viewerOf(call.caller))
  return { status: 200, body: { network: fieldsOf(call.query, networkView(network, call)) } }
}

const body = z.strictObject({
  network: z.strictObject({
    name: z.string().max(255).default(''),
    description: z.string().max(255).default(''),
    admin_state_up: z.boolean().default(true),
    shared: z.boolean().default(false),
    mtu: z.int().min(68).max(9216).optional(),
    tenant_id: z.string().optional(),
    project_id: z.string().optional(),
    port_security_enabled: z.boolean().optional(),
    'router:external': z.literal(false).optional(),
    'provider:network_type': z.enum(['vlan', 'flat']).optional(),
    'provider:physical_network': z.string().optional(),
    'provider:segmentation_id': z.coerce.number().int().min(1).max(4094).optional(),
    availability_zone_hints: z.array(z.string()).max(0).optional(),
  }),
})
type Wanted = z.output<typeof body>['network']

function checkRights({ caller }: Call, wanted: Wanted): void {
  if (wanted.shared) allow(caller, 'create_network:shared')
  if (wanted['provider:network_type'] !== undefined || wanted['provider:segmentation_id'] !== undefined)
    allow(caller, 'create_network:provider:segmentation_id')
}

export async function create(call: Call): Promise<Reply> {
  const { network: wanted } = parseBody(body, call.body)
  checkRights(call, wanted)
  const projectId = ownerOf(call, wanted)
  const network = await call.db.transaction(async (trx) => {
    const isFlat = wanted['provider:network_type'] === 'flat'
    const vlan = isFlat ? null : (wanted['provider:segmentation_id'] ?? (await freeVlan(trx)))
    const { name, description, shared, admin_state_up: adminStateUp } = wanted
    const mtu = wanted.mtu ?? call.config.networkMtu
    return await insertNetwork(trx, { id: randomUUID(), projectId, name, description, vlan, mtu, shared, adminStateUp })
  })
  return { status: 201, body: { network: networkView({ ...network, subnets: [] }, call) } }
}

/** With its subnets; with a port on it, not at all. */
export async function remove(call: Call): Promise<Reply> {
  const network = await getNetwork(call.db, call.params.id ?? '', viewerOf(call.caller))
  if (!call.caller.isAdmin && network.projectId !== call.caller.projectId)
    throw new Forbidden("Policy doesn't allow delete_network to be performed.")
  await call.db.transaction(async (trx) => {
    for (const subnetId of network.subnets) await dropRanges(trx, subnetId)
    await deleteNetwork(trx, network.id)
  })
  return { status: 204 }
}

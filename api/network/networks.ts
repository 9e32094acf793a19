import { randomUUID } from 'node:crypto'
import { Invalid, NotFound } from '../../core/errors.ts'
import { innerMtu } from '../../core/tunnel-mtu.ts'
import { z } from 'zod'
import { isUuid } from '../../core/uuid.ts'
import type { Transaction } from '../../db/connect.ts'
import { tunnelMtu } from '../../db/tunnels.ts'
import { withinNetworkQuota } from '../../db/network-quotas.ts'
import {
  deleteNetwork,
  freeVlan,
  freeVni,
  getNetwork,
  insertNetwork,
  listNetworks,
  updateNetwork,
  type NetworkWithSubnets,
  type NewNetwork,
} from '../../db/networks.ts'
import { defaultQosPolicy } from '../../db/qos.ts'
import { listGroups } from '../../ipam/groups.ts'
import { dropRanges } from '../../ipam/ranges.ts'
import { parseBody } from '../body.ts'
import { viewerOf } from '../caller.ts'
import { allow } from '../policy.ts'
import type { Call, Reply } from '../route.ts'
import { createEach } from './bulk.ts'
import { fieldsOf, flagOf, projectFilter, valuesOf } from './filters.ts'
import { listed } from './listing.ts'
import { ownerOf, refuseIfNotOwner } from './owner.ts'
import { qosPolicyOf } from './qos-policies.ts'
import { seconds } from './times.ts'
import { flag, whole } from './values.ts'

type Json = Readonly<Record<string, unknown>>

function networkView(network: NetworkWithSubnets, { caller }: Call): Json {
  const provider = {
    'provider:network_type': network.vni === null ? (network.vlan === null ? 'flat' : 'vlan') : 'vxlan',
    'provider:physical_network': network.vni === null ? 'physnet1' : null,
    'provider:segmentation_id': network.vni ?? network.vlan,
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
    port_security_enabled: network.portSecurityEnabled,
    qos_policy_id: network.qosPolicyId,
    availability_zones: ['nova'],
    availability_zone_hints: [],
    ipv4_address_scope: null,
    ipv6_address_scope: null,
    tags: network.tags,
    revision_number: network.revision,
    created_at: seconds(network.createdAt),
    updated_at: seconds(network.updatedAt),
    ...(caller.isAdmin ? provider : {}),
  }
}

/**
 * Clients look for what a server is to be wired to among the networks: so a pool group that is asked for by its id or name is shown as
 * one, to those who see its pools. No list has it, and nothing of it is changed here.
 */
async function groupViews(call: Call, clues: readonly string[]): Promise<readonly Json[]> {
  const groups = (await Promise.all(clues.map((clue) => listGroups(call.db, clue)))).flat()
  const views = groups.map(async ({ id, name, description, networkIds }): Promise<readonly Json[]> => {
    const pools = await listNetworks(call.db, { ids: networkIds }, viewerOf(call.caller))
    const [first] = pools
    if (!first || pools.length < networkIds.length) return []
    const subnets = pools.flatMap((pool) => pool.subnets)
    const mtu = Math.min(...pools.map((pool) => pool.mtu))
    const view = networkView({ ...first, id, name, description, subnets, mtu, tags: [] }, call)
    return [Object.fromEntries(Object.entries(view).filter(([field]) => !field.startsWith('provider:')))]
  })
  return (await Promise.all(views)).flat()
}

export async function index(call: Call): Promise<Reply> {
  const { query, db } = call
  const filter = {
    ids: valuesOf(query, 'id'),
    names: valuesOf(query, 'name'),
    projectId: projectFilter(query),
    shared: flagOf(query, 'shared'),
  }
  const rows = await listNetworks(db, filter, viewerOf(call.caller))
  const views = rows.map((row) => networkView(row, call))
  const clues = filter.ids ?? filter.names ?? []
  return listed(call, 'networks', views.length === 0 ? await groupViews(call, clues) : views)
}

async function viewOf(call: Call, id: string): Promise<Json> {
  return networkView(await getNetwork(call.db, id, viewerOf(call.caller)), call)
}

export async function show(call: Call): Promise<Reply> {
  const { id = '' } = call.params
  const reply = (view: Json): Reply => ({ status: 200, body: { network: fieldsOf(call.query, view) } })
  try {
    return reply(await viewOf(call, id))
  } catch (error) {
    const [group] = error instanceof NotFound && isUuid(id) ? await groupViews(call, [id]) : []
    if (!group) throw error
    return reply(group)
  }
}

const wantedNetwork = z.strictObject({
  name: z.string().max(255).default(''),
  description: z.string().max(255).default(''),
  admin_state_up: flag.default(true),
  shared: flag.default(false),
  mtu: whole(z.int().min(68).max(9216)).optional(),
  tenant_id: z.string().optional(),
  project_id: z.string().optional(),
  port_security_enabled: flag.default(true),
  qos_policy_id: z.string().nullable().optional(),
  'router:external': z.literal(false).optional(),
  'provider:network_type': z.enum(['vlan', 'flat', 'vxlan']).optional(),
  'provider:physical_network': z.string().optional(),
  'provider:segmentation_id': whole(z.int().min(1).max(16_777_215)).optional(),
  availability_zone_hints: z.array(z.string()).max(0).optional(),
})
type Wanted = z.output<typeof wantedNetwork>

function checkRights({ caller }: Call, wanted: Wanted): void {
  if (wanted.shared) allow(caller, 'create_network:shared')
  if (
    wanted['provider:network_type'] !== undefined ||
    wanted['provider:segmentation_id'] !== undefined ||
    wanted['provider:physical_network'] !== undefined
  )
    allow(caller, 'create_network:provider:segmentation_id')
}

const lastTag = 4094

/** @throws Invalid when the type has no such number */
async function segmentOf(trx: Transaction, wanted: Wanted): Promise<Pick<NewNetwork, 'vlan' | 'vni'>> {
  const number = wanted['provider:segmentation_id']
  switch (wanted['provider:network_type'] ?? 'vlan') {
    case 'vxlan':
      return { vlan: null, vni: number ?? (await freeVni(trx)) }
    case 'flat':
      if (number !== undefined) throw new Invalid('provider:segmentation_id: a flat network has none')
      return { vlan: null, vni: null }
    case 'vlan':
      if (number !== undefined && number > lastTag)
        throw new Invalid(`provider:segmentation_id: ${number} is no VLAN tag: 1 to ${lastTag} are`)
      return { vlan: number ?? (await freeVlan(trx)), vni: null }
  }
}

/** In tunnels as much as every host carries inside of them. @throws Invalid when more is wanted */
async function mtuOf({ db, config }: Call, { mtu }: Wanted, { vni }: Pick<NewNetwork, 'vni'>): Promise<number> {
  if (typeof vni !== 'number') return mtu ?? config.networkMtu
  const most = (await tunnelMtu(db)) ?? innerMtu(config.networkMtu, null)
  if (mtu !== undefined && mtu > most) throw new Invalid(`mtu: tunnels between the hosts carry ${most} at most`)
  return mtu ?? most
}

async function make(trx: Transaction, call: Call, wanted: Wanted): Promise<string> {
  checkRights(call, wanted)
  const segment = await segmentOf(trx, wanted)
  const projectId = ownerOf(call, wanted)
  const usual = { asked: wanted.qos_policy_id, present: await defaultQosPolicy(trx, projectId) }
  const qosPolicyId = await qosPolicyOf(trx, usual, viewerOf(call.caller))
  const { id } = await insertNetwork(trx, {
    id: randomUUID(),
    projectId,
    name: wanted.name,
    description: wanted.description,
    ...segment,
    mtu: await mtuOf(call, wanted, segment),
    shared: wanted.shared,
    adminStateUp: wanted.admin_state_up,
    portSecurityEnabled: wanted.port_security_enabled,
    qosPolicyId,
  })
  await withinNetworkQuota(trx, projectId, 'network')
  return id
}

export async function create(call: Call): Promise<Reply> {
  return await createEach(call, { one: 'network', many: 'networks' }, wantedNetwork, {
    make: (trx, wanted) => make(trx, call, wanted),
    view: (id) => viewOf(call, id),
  })
}

const changes = z.strictObject({
  network: z.strictObject({
    name: z.string().max(255).optional(),
    description: z.string().max(255).optional(),
    admin_state_up: flag.optional(),
    shared: flag.optional(),
    port_security_enabled: flag.optional(),
    qos_policy_id: z.string().nullable().optional(),
    'router:external': z.literal(false).optional(),
  }),
})

export async function update(call: Call): Promise<Reply> {
  const { network: wanted } = parseBody(changes, call.body)
  const network = await getNetwork(call.db, call.params.id ?? '', viewerOf(call.caller))
  refuseIfNotOwner(call, network, 'update_network')
  if (wanted.shared !== undefined && wanted.shared !== network.shared) allow(call.caller, 'update_network:shared')
  await call.db.transaction(async (trx) => {
    const qosPolicyId = await qosPolicyOf(
      trx,
      { asked: wanted.qos_policy_id, present: network.qosPolicyId },
      viewerOf(call.caller),
    )
    await updateNetwork(trx, network.id, {
      name: wanted.name ?? network.name,
      description: wanted.description ?? network.description,
      adminStateUp: wanted.admin_state_up ?? network.adminStateUp,
      shared: wanted.shared ?? network.shared,
      portSecurityEnabled: wanted.port_security_enabled ?? network.portSecurityEnabled,
      qosPolicyId,
    })
  })
  return { status: 200, body: { network: await viewOf(call, network.id) } }
}

/** With its subnets; with a port on it, not at all. */
export async function remove(call: Call): Promise<Reply> {
  const network = await getNetwork(call.db, call.params.id ?? '', viewerOf(call.caller))
  refuseIfNotOwner(call, network, 'delete_network')
  await call.db.transaction(async (trx) => {
    for (const subnetId of network.subnets) await dropRanges(trx, subnetId)
    await deleteNetwork(trx, network.id)
  })
  return { status: 204 }
}

import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { Forbidden, Invalid, NotFound } from '../../core/errors.ts'
import type { Transaction } from '../../db/connect.ts'
import { getNetwork, listSubnets } from '../../db/networks.ts'
import { deletePort, getPort, listPorts, type PortFilter, type PortWithAddresses } from '../../db/ports.ts'
import { defaultGroup, getSecurityGroup } from '../../db/security-groups.ts'
import { release } from '../../ipam/release.ts'
import { parseBody } from '../body.ts'
import { viewerOf } from '../caller.ts'
import { isAllowed } from '../policy.ts'
import type { Call, Reply } from '../route.ts'
import { fieldsOf, pageIn, projectFilter, valueOf, valuesOf } from './filters.ts'
import { newPort, type FixedIpWish } from './new-port.ts'
import { ownerOf } from './owner.ts'
import { seconds } from './times.ts'

type Json = Readonly<Record<string, unknown>>

function binding({ host }: PortWithAddresses): Json {
  return {
    'binding:host_id': host ?? '',
    'binding:vnic_type': 'normal',
    'binding:vif_type': host === null ? 'unbound' : 'ovs',
    'binding:vif_details': host === null ? {} : { port_filter: false, connectivity: 'l2' },
    'binding:profile': {},
  }
}

function portView(port: PortWithAddresses, { caller }: Call): Json {
  return {
    id: port.id,
    name: port.name,
    description: port.description,
    network_id: port.networkId,
    tenant_id: port.projectId,
    project_id: port.projectId,
    mac_address: port.mac,
    admin_state_up: port.adminStateUp,
    status: port.status,
    device_id: port.deviceId,
    device_owner: port.deviceOwner,
    fixed_ips: port.fixedIps.map(({ subnetId, address }) => ({ subnet_id: subnetId, ip_address: address })),
    security_groups: port.securityGroupIds,
    allowed_address_pairs: [],
    extra_dhcp_opts: [],
    port_security_enabled: true,
    qos_policy_id: null,
    dns_name: '',
    dns_assignment: [],
    tags: [],
    revision_number: 1,
    created_at: seconds(port.createdAt),
    updated_at: seconds(port.updatedAt),
    ...(isAllowed(caller, 'get_port:binding') ? binding(port) : { 'binding:vnic_type': 'normal' }),
  }
}

/** fixed_ips=ip_address=10.0.0.4 and fixed_ips=subnet_id=...; several may be given. */
function fixedIpFilter(query: URLSearchParams): Pick<PortFilter, 'addresses' | 'subnetIds'> {
  const pairs = query.getAll('fixed_ips').map((text) => text.split('='))
  const of = (name: string): readonly string[] | null => {
    const values = pairs.flatMap(([key, value]) => (key === name && value !== undefined ? value : []))
    return values.length > 0 ? values : null
  }
  return { addresses: of('ip_address'), subnetIds: of('subnet_id') }
}

export async function index(call: Call): Promise<Reply> {
  const { query, db } = call
  const rows = await listPorts(
    db,
    {
      ...fixedIpFilter(query),
      ids: valuesOf(query, 'id'),
      names: valuesOf(query, 'name'),
      networkIds: valuesOf(query, 'network_id'),
      deviceIds: valuesOf(query, 'device_id'),
      deviceOwner: valueOf(query, 'device_owner'),
      projectId: projectFilter(query),
      status: valueOf(query, 'status'),
      mac: valueOf(query, 'mac_address'),
    },
    viewerOf(call.caller),
  )
  return { status: 200, body: { ports: pageIn(query, rows).map((row) => fieldsOf(query, portView(row, call))) } }
}

export async function show(call: Call): Promise<Reply> {
  const port = await getPort(call.db, call.params.id ?? '', viewerOf(call.caller))
  return { status: 200, body: { port: fieldsOf(call.query, portView(port, call)) } }
}

const fixedIp = z.strictObject({ subnet_id: z.uuid().optional(), ip_address: z.string().optional() })
const body = z.strictObject({
  port: z.strictObject({
    network_id: z.string(),
    name: z.string().max(255).default(''),
    description: z.string().max(255).default(''),
    admin_state_up: z.boolean().default(true),
    mac_address: z
      .string()
      .regex(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i)
      .optional(),
    fixed_ips: z.array(fixedIp).optional(),
    security_groups: z.array(z.string()).nullable().optional(),
    device_id: z.string().max(255).default(''),
    device_owner: z.string().max(255).default(''),
    tenant_id: z.string().optional(),
    project_id: z.string().optional(),
    port_security_enabled: z.literal(true).optional(),
    allowed_address_pairs: z.array(z.unknown()).max(0).optional(),
    extra_dhcp_opts: z.array(z.unknown()).max(0).optional(),
    'binding:vnic_type': z.literal('normal').optional(),
    'binding:host_id': z.string().optional(),
    'binding:profile': z.record(z.string(), z.unknown()).optional(),
  }),
})
type Wanted = z.output<typeof body>['port']

function fixedIpsOf({ fixed_ips: asked }: Wanted): readonly FixedIpWish[] | null {
  if (asked === undefined) return null
  return asked.map(({ subnet_id: subnetId, ip_address: address }) => {
    if (subnetId !== undefined) return { subnetId, address }
    if (address !== undefined) return { address }
    throw new Invalid("Invalid input for fixed_ips. Reason: it needs 'subnet_id' or 'ip_address'.")
  })
}

async function groupsOf(
  trx: Transaction,
  { security_groups: asked }: Wanted,
  projectId: string,
): Promise<readonly string[]> {
  if (asked === undefined) return [(await defaultGroup(trx, projectId)).id]
  const ids: string[] = []
  for (const id of new Set(asked)) ids.push((await getSecurityGroup(trx, id, { projectId, isAdmin: false })).id)
  return ids
}

export async function create(call: Call): Promise<Reply> {
  const { port: wanted } = parseBody(body, call.body)
  const viewer = viewerOf(call.caller)
  const projectId = ownerOf(call, wanted)
  const id = randomUUID()
  await call.db.transaction(async (trx) => {
    const network = await getNetwork(trx, wanted.network_id, viewer)
    const subnets = await listSubnets(trx, { networkIds: [network.id] }, { ...viewer, isAdmin: true })
    const port = {
      id,
      networkId: network.id,
      projectId,
      name: wanted.name,
      description: wanted.description,
      adminStateUp: wanted.admin_state_up,
      deviceId: wanted.device_id,
      deviceOwner: wanted.device_owner,
      serverId: null,
      position: null,
      isOwnedByServer: false,
    }
    const securityGroupIds = await groupsOf(trx, wanted, projectId)
    // A port that is named as a machine takes what is reserved for that machine.
    const serverName = wanted.name === '' ? null : wanted.name
    const wish = { port, mac: wanted.mac_address ?? null, securityGroupIds, fixedIps: fixedIpsOf(wanted), serverName }
    await newPort(trx, wish, subnets)
  })
  return { status: 201, body: { port: portView(await getPort(call.db, id, viewer), call) } }
}

export async function remove(call: Call): Promise<Reply> {
  const viewer = viewerOf(call.caller)
  const port = await getPort(call.db, call.params.id ?? '', viewer)
  if (!viewer.isAdmin && port.projectId !== viewer.projectId) throw new NotFound('Port', port.id)
  if (port.deviceOwner.startsWith('network:'))
    throw new Forbidden(
      `Port ${port.id} cannot be deleted directly via the port API: it has device owner ${port.deviceOwner}.`,
    )
  await call.db.transaction(async (trx) => {
    await release(trx, port.id)
    await deletePort(trx, port.id)
  })
  return { status: 204 }
}

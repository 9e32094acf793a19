import { randomUUID } from 'node:crypto'
import { Forbidden } from '../../core/errors.ts'
import type { Transaction } from '../../db/connect.ts'
import { withinNetworkQuota } from '../../db/network-quotas.ts'
import { getNetwork, listSubnets } from '../../db/networks.ts'
import { deletePort, getPort, listPorts } from '../../db/ports.ts'
import { defaultGroup, getSecurityGroup } from '../../db/security-groups.ts'
import { release } from '../../ipam/release.ts'
import { enqueue } from '../../jobs/enqueue.ts'
import { parseBody } from '../body.ts'
import { viewerOf } from '../caller.ts'
import { allow } from '../policy.ts'
import type { Call, Reply } from '../route.ts'
import { createEach } from './bulk.ts'
import { changePort } from './change-port.ts'
import { fieldsOf, projectFilter, valueOf, valuesOf } from './filters.ts'
import { listed } from './listing.ts'
import { newPort } from './new-port.ts'
import { ownerOf } from './owner.ts'
import { checkPortSecurity, fixedIpsOf, pairsOf, portChanges, wantedPort, type WantedPort } from './port-body.ts'
import { portView } from './port-view.ts'
import { qosPolicyOf } from './qos-policies.ts'

type Json = Readonly<Record<string, unknown>>

export async function index(call: Call): Promise<Reply> {
  const { query, db } = call
  const filter = {
    ids: valuesOf(query, 'id'),
    names: valuesOf(query, 'name'),
    networkIds: valuesOf(query, 'network_id'),
    deviceIds: valuesOf(query, 'device_id'),
    deviceOwner: valueOf(query, 'device_owner'),
    projectId: projectFilter(query),
    status: valueOf(query, 'status'),
    mac: valueOf(query, 'mac_address'),
  }
  const rows = await listPorts(db, filter, viewerOf(call.caller))
  return listed(
    call,
    'ports',
    rows.map((row) => portView(row, call)),
  )
}

async function viewOf(call: Call, id: string): Promise<Json> {
  return portView(await getPort(call.db, id, viewerOf(call.caller)), call)
}

export async function show(call: Call): Promise<Reply> {
  return { status: 200, body: { port: fieldsOf(call.query, await viewOf(call, call.params.id ?? '')) } }
}

async function groupsOf(
  trx: Transaction,
  { security_groups: asked }: WantedPort,
  { projectId, isSecured }: { readonly projectId: string; readonly isSecured: boolean },
): Promise<readonly string[]> {
  if (asked === undefined) return isSecured ? [(await defaultGroup(trx, projectId)).id] : []
  const ids: string[] = []
  for (const id of new Set(asked)) ids.push((await getSecurityGroup(trx, id, { projectId, isAdmin: false })).id)
  return ids
}

async function make(trx: Transaction, call: Call, wanted: WantedPort): Promise<string> {
  const viewer = viewerOf(call.caller)
  const projectId = ownerOf(call, wanted)
  const network = await getNetwork(trx, wanted.network_id, viewer)
  if (wanted['binding:host_id'] || wanted['binding:profile']) allow(call.caller, 'get_port:binding')
  const subnets = await listSubnets(trx, { networkIds: [network.id] }, { ...viewer, isAdmin: true })
  const isSecured = wanted.port_security_enabled ?? network.portSecurityEnabled
  const securityGroupIds = await groupsOf(trx, wanted, { projectId, isSecured })
  const pairs = pairsOf(wanted.allowed_address_pairs ?? [])
  const qosPolicyId = await qosPolicyOf(trx, { asked: wanted.qos_policy_id, present: null }, viewer)
  const [hasGroups, hasPairs] = [securityGroupIds.length > 0, pairs.length > 0]
  checkPortSecurity({ isEnabled: isSecured, hasGroups, hasPairs, isNew: true })
  const id = randomUUID()
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
    portSecurityEnabled: isSecured,
    allowedAddressPairs: pairs,
    dnsName: wanted.dns_name,
    qosPolicyId,
  }
  const mac = wanted.mac_address?.toLowerCase() ?? null
  await newPort(trx, { port, mac, securityGroupIds, fixedIps: fixedIpsOf(wanted), serverName: null }, subnets)
  await withinNetworkQuota(trx, projectId, 'port')
  return id
}

export async function create(call: Call): Promise<Reply> {
  return await createEach(call, { one: 'port', many: 'ports' }, wantedPort, {
    make: (trx, wanted) => make(trx, call, wanted),
    view: (id) => viewOf(call, id),
  })
}

export async function update(call: Call): Promise<Reply> {
  const { port: wanted } = parseBody(portChanges, call.body)
  const port = await getPort(call.db, call.params.id ?? '', viewerOf(call.caller))
  if (wanted['binding:host_id'] || wanted['binding:profile']) allow(call.caller, 'get_port:binding')
  await call.db.transaction((trx) => changePort(trx, call, port, wanted))
  return { status: 200, body: { port: await viewOf(call, port.id) } }
}

/** A port of a server leaves its guest too. */
export async function remove(call: Call): Promise<Reply> {
  const port = await getPort(call.db, call.params.id ?? '', viewerOf(call.caller))
  if (port.deviceOwner.startsWith('network:'))
    throw new Forbidden(
      `Port ${port.id} cannot be deleted directly via the port API: it has device owner ${port.deviceOwner}.`,
    )
  await call.db.transaction(async (trx) => {
    await release(trx, port.id)
    const { serverId, host } = await deletePort(trx, port.id)
    const payload = { serverId: serverId ?? '', requestId: call.requestId, portId: port.id }
    if (serverId !== null && host !== null) await enqueue(trx, 'server.detach', payload, host)
  })
  return { status: 204 }
}

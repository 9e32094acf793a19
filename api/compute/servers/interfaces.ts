/** What hangs on a server: its addresses, ports and security groups, to look at. */
import { NotFound } from '../../../core/errors.ts'
import { listPorts, type PortWithAddresses } from '../../../db/ports.ts'
import { listSecurityGroups } from '../../../db/security-groups.ts'
import type { Call, Reply } from '../../route.ts'
import { addressesView } from '../views/addresses.ts'
import { groupsView } from '../views/security-group.ts'
import { serverOf, shownOf } from './find.ts'

export async function ips(call: Call): Promise<Reply> {
  const { addresses } = await shownOf(call, call.params.id)
  return { status: 200, body: { addresses: addressesView(addresses, { extended: false }) } }
}

export async function ipsOf(call: Call): Promise<Reply> {
  const { id, label = '' } = call.params
  const addresses = addressesView((await shownOf(call, id)).addresses, { extended: false })[label]
  if (!addresses) throw new NotFound('Network', label)
  return { status: 200, body: { [label]: addresses } }
}

export function interfaceView(port: PortWithAddresses, version: number): Readonly<Record<string, unknown>> {
  return {
    port_id: port.id,
    net_id: port.networkId,
    mac_addr: port.mac,
    port_state: port.status,
    fixed_ips: port.fixedIps.map(({ subnetId, address }) => ({ subnet_id: subnetId, ip_address: address })),
    ...(version >= 70 ? { tag: port.deviceTag } : {}),
  }
}

/** All ports of the server, whoever owns them. */
async function portsOf(call: Call): Promise<readonly PortWithAddresses[]> {
  const server = await serverOf(call, call.params.id)
  const ports = await listPorts(call.db, { deviceIds: [server.id] }, { projectId: server.projectId, isAdmin: true })
  return ports.toSorted((one, other) => (one.position ?? 0) - (other.position ?? 0))
}

export async function interfaces(call: Call): Promise<Reply> {
  const ports = await portsOf(call)
  return { status: 200, body: { interfaceAttachments: ports.map((port) => interfaceView(port, call.version)) } }
}

export async function interfaceOf(call: Call): Promise<Reply> {
  const { port: portId = '' } = call.params
  const port = (await portsOf(call)).find(({ id }) => id === portId)
  if (!port) throw new NotFound('Port', portId)
  return { status: 200, body: { interfaceAttachment: interfaceView(port, call.version) } }
}

export async function securityGroups(call: Call): Promise<Reply> {
  const ids = [...new Set((await portsOf(call)).flatMap(({ securityGroupIds }) => securityGroupIds))]
  const groups = await listSecurityGroups(call.db, { ids }, { projectId: '', isAdmin: true })
  return { status: 200, body: { security_groups: await groupsView(call.db, groups) } }
}

/** There are no volumes. */
export async function volumes(call: Call): Promise<Reply> {
  await serverOf(call, call.params.id)
  return { status: 200, body: { volumeAttachments: [] } }
}

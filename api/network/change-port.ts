/** PUT of a port: its row, its groups, its addresses; a guest that has it is told. */
import type { GoneAddress } from '../../core/network.ts'
import { NetworkError } from '../../core/network-errors.ts'
import type { Transaction } from '../../db/connect.ts'
import { listSubnets } from '../../db/networks.ts'
import { setPortGroups, updatePort, type FixedIp, type PortWithAddresses } from '../../db/ports.ts'
import { getSecurityGroup } from '../../db/security-groups.ts'
import type { SubnetRow } from '../../db/tables.ts'
import { releaseOne } from '../../ipam/release.ts'
import { enqueue } from '../../jobs/enqueue.ts'
import { viewerOf } from '../caller.ts'
import { allow } from '../policy.ts'
import type { Call } from '../route.ts'
import { grantAddress, type FixedIpWish } from './new-port.ts'
import { qosPolicyOf } from './qos-policies.ts'
import { checkPortSecurity, fixedIpsOf, pairsOf, type PortChanges } from './port-body.ts'

/** Which of a port's addresses stay, and which wishes are new. An address that is named stays, then one of a subnet that is named. */
function settle(
  present: readonly FixedIp[],
  wishes: readonly FixedIpWish[],
): { readonly gone: readonly FixedIp[]; readonly wanted: readonly FixedIpWish[] } {
  const left = [...present]
  const take = (fits: (one: FixedIp) => boolean): boolean => {
    const index = left.findIndex(fits)
    if (index >= 0) left.splice(index, 1)
    return index >= 0
  }
  const named = wishes.filter(
    (wish) =>
      wish.address === undefined ||
      !take((one) => one.address === wish.address && (wish.subnetId ?? one.subnetId) === one.subnetId),
  )
  const wanted = named.filter((wish) => wish.address !== undefined || !take((one) => one.subnetId === wish.subnetId))
  return { gone: left, wanted }
}

function prefixLengthOf(subnets: readonly SubnetRow[], subnetId: string): number {
  return Number(subnets.find(({ id }) => id === subnetId)?.cidr.split('/')[1] ?? 0)
}

/**
 * Other addresses for a port.
 *
 * @returns those that it has no more
 * @throws  Invalid, AddressInUse, SubnetFull
 */
export async function changeAddresses(
  trx: Transaction,
  port: PortWithAddresses,
  wishes: readonly FixedIpWish[],
): Promise<readonly GoneAddress[]> {
  const subnets = await listSubnets(trx, { networkIds: [port.networkId] }, { projectId: '', isAdmin: true })
  const { gone, wanted } = settle(port.fixedIps, wishes)
  for (const { subnetId, address } of gone) await releaseOne(trx, { portId: port.id, subnetId, address })
  for (const wish of wanted) await grantAddress(trx, wish, port, { subnets, serverName: null })
  return gone.map(({ subnetId, address }) => ({
    portId: port.id,
    address,
    prefixLength: prefixLengthOf(subnets, subnetId),
  }))
}

/** A guest that has the port gets its wires as the rows now are. */
export async function tellGuest(
  trx: Transaction,
  { serverId, host }: Pick<PortWithAddresses, 'serverId' | 'host'>,
  { requestId, gone }: { readonly requestId: string; readonly gone: readonly GoneAddress[] },
): Promise<void> {
  if (serverId !== null && host !== null)
    await enqueue(trx, 'server.wire', { serverId, requestId, gone: [...gone] }, host)
}

function refuseOfBound(port: PortWithAddresses, wanted: PortChanges): void {
  if (port.serverId === null) return
  const moves =
    (wanted.device_id !== undefined && wanted.device_id !== port.deviceId) ||
    (wanted.device_owner !== undefined && wanted.device_owner !== port.deviceOwner) ||
    (wanted['binding:host_id'] !== undefined && (wanted['binding:host_id'] ?? '') !== (port.host ?? ''))
  if (moves)
    throw new NetworkError(
      'PortInUse',
      `Unable to complete operation on port ${port.id} for network ${port.networkId}. Port already has an attached device ${port.deviceId}.`,
    )
  if (wanted.mac_address !== undefined && wanted.mac_address.toLowerCase() !== port.mac)
    throw new NetworkError('PortBound', `Unable to complete operation on port ${port.id}, port is already bound.`)
}

async function groupIdsOf(trx: Transaction, port: PortWithAddresses, wanted: PortChanges): Promise<readonly string[]> {
  if (wanted.security_groups === undefined) return port.securityGroupIds
  const ids: string[] = []
  for (const id of new Set(wanted.security_groups))
    ids.push((await getSecurityGroup(trx, id, { projectId: port.projectId, isAdmin: false })).id)
  return ids
}

/** @throws NetworkError, NotFound, Invalid, AddressInUse */
export async function changePort(
  trx: Transaction,
  call: Call,
  port: PortWithAddresses,
  wanted: PortChanges,
): Promise<void> {
  const viewer = viewerOf(call.caller)
  refuseOfBound(port, wanted)
  const mac = wanted.mac_address?.toLowerCase() ?? port.mac
  if (mac !== port.mac) allow(call.caller, 'update_port:mac_address')
  const groupIds = await groupIdsOf(trx, port, wanted)
  const pairs = wanted.allowed_address_pairs ? pairsOf(wanted.allowed_address_pairs) : port.allowedAddressPairs
  const isEnabled = wanted.port_security_enabled ?? port.portSecurityEnabled
  checkPortSecurity({ isEnabled, hasGroups: groupIds.length > 0, hasPairs: pairs.length > 0, isNew: false })
  const qosPolicyId = await qosPolicyOf(trx, { asked: wanted.qos_policy_id, present: port.qosPolicyId }, viewer)
  await updatePort(trx, port.id, {
    name: wanted.name ?? port.name,
    description: wanted.description ?? port.description,
    adminStateUp: wanted.admin_state_up ?? port.adminStateUp,
    deviceId: wanted.device_id ?? port.deviceId,
    deviceOwner: wanted.device_owner ?? port.deviceOwner,
    dnsName: wanted.dns_name ?? port.dnsName,
    mac,
    qosPolicyId,
    portSecurityEnabled: isEnabled,
    allowedAddressPairs: pairs,
  })
  await setPortGroups(trx, port.id, groupIds)
  const wishes = fixedIpsOf(wanted)
  const gone = wishes === null ? [] : await changeAddresses(trx, port, wishes)
  await tellGuest(trx, port, { requestId: call.requestId, gone })
}

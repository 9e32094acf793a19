/** Ports with what hangs on them: addresses and security groups. Which addresses, `ipam` decides. */
import { Conflict, NotFound } from '../core/errors.ts'
import { NetworkError } from '../core/network-errors.ts'
import { isUuid } from '../core/uuid.ts'
import { jsonb, type Db, type Transaction } from './connect.ts'
import type { Viewer } from './images.ts'
import type { PortRow } from './tables.ts'

export interface FixedIp {
  readonly subnetId: string
  readonly address: string
}

export interface PortWithAddresses extends PortRow {
  readonly fixedIps: readonly FixedIp[]
  readonly securityGroupIds: readonly string[]
  readonly serverZone: string | null
  /** what its host plugs it into; null = no host has it */
  readonly vifType: string | null
}

export interface PortFilter {
  readonly ids: readonly string[] | null
  readonly names: readonly string[] | null
  readonly networkIds: readonly string[] | null
  readonly deviceIds: readonly string[] | null
  readonly deviceOwner: string | null
  readonly projectId: string | null
  readonly status: string | null
  readonly mac: string | null
  readonly addresses: readonly string[] | null
  readonly subnetIds: readonly string[] | null
}

const noFilter: PortFilter = {
  ids: null,
  names: null,
  networkIds: null,
  deviceIds: null,
  deviceOwner: null,
  projectId: null,
  status: null,
  mac: null,
  addresses: null,
  subnetIds: null,
}

const columns = `ports.*,
  coalesce((select json_agg(json_build_object('subnetId', a.subnet_id, 'address', host(a.address)) order by family(a.address), a.address)
            from addresses a where a.port_id = ports.id), '[]') as fixed_ips,
  array(select g.security_group_id::text from port_security_groups g where g.port_id = ports.id order by 1) as security_group_ids,
  (select v.availability_zone from servers v where v.id = ports.server_id) as server_zone,
  (select coalesce(h.traits->>'vifType', 'ovs') from hosts h where h.name = ports.host) as vif_type`

export async function listPorts(
  db: Db,
  filter: Partial<PortFilter>,
  { projectId, isAdmin }: Viewer,
): Promise<readonly PortWithAddresses[]> {
  const f = { ...noFilter, ...filter }
  const query = db('ports').select<PortWithAddresses[]>(db.raw(columns)).orderBy(['createdAt', 'id'])
  if (!isAdmin) void query.where({ projectId })
  if (f.ids !== null) void query.whereIn('id', f.ids.filter(isUuid))
  if (f.names !== null) void query.whereIn('name', [...f.names])
  if (f.networkIds !== null) void query.whereIn('networkId', f.networkIds.filter(isUuid))
  if (f.deviceIds !== null) void query.whereIn('deviceId', [...f.deviceIds])
  if (f.deviceOwner !== null) void query.where({ deviceOwner: f.deviceOwner })
  if (f.projectId !== null) void query.where({ projectId: f.projectId })
  if (f.status !== null) void query.whereRaw('status = ?', [f.status])
  if (f.mac !== null) void query.whereRaw('mac::text = lower(?)', [f.mac])
  if (f.addresses !== null)
    void query.whereRaw('exists (select from addresses a where a.port_id = ports.id and host(a.address) = any(?))', [
      [...f.addresses],
    ])
  if (f.subnetIds !== null)
    void query.whereRaw('exists (select from addresses a where a.port_id = ports.id and a.subnet_id::text = any(?))', [
      [...f.subnetIds],
    ])
  return await query
}

/** @throws NotFound when there is none that the viewer may see */
export async function getPort(db: Db, id: string, viewer: Viewer): Promise<PortWithAddresses> {
  const [row] = await listPorts(db, { ids: [id] }, viewer)
  if (!row) throw new NotFound('Port', id)
  return row
}

export type NewPort = Pick<
  PortRow,
  | 'id'
  | 'networkId'
  | 'projectId'
  | 'name'
  | 'description'
  | 'mac'
  | 'adminStateUp'
  | 'deviceId'
  | 'deviceOwner'
  | 'serverId'
  | 'position'
  | 'isOwnedByServer'
> &
  Partial<
    Pick<
      PortRow,
      'portSecurityEnabled' | 'allowedAddressPairs' | 'dnsName' | 'deviceTag' | 'host' | 'status' | 'qosPolicyId'
    >
  >

/** What a new port is where nothing else is said; so that the statement has one text. */
export const usualPort = {
  portSecurityEnabled: true,
  dnsName: '',
  deviceTag: null,
  host: null,
  status: 'DOWN',
  qosPolicyId: null,
} as const

/** @returns false when another port has this MAC address */
export async function insertPort(
  trx: Transaction,
  { allowedAddressPairs = [], ...port }: NewPort,
  securityGroupIds: readonly string[],
): Promise<boolean> {
  const [row] = await trx('ports')
    .insert({ ...usualPort, ...port, allowedAddressPairs: jsonb(trx, allowedAddressPairs) })
    .onConflict('mac')
    .ignore()
    .returning('id')
    .options({ name: 'a new port' })
  if (!row) return false
  if (securityGroupIds.length > 0)
    await trx('port_security_groups').insert(
      securityGroupIds.map((securityGroupId) => ({ portId: port.id, securityGroupId })),
    )
  return true
}

export type PortChange = Pick<
  PortRow,
  | 'name'
  | 'description'
  | 'adminStateUp'
  | 'deviceId'
  | 'deviceOwner'
  | 'dnsName'
  | 'mac'
  | 'portSecurityEnabled'
  | 'allowedAddressPairs'
  | 'qosPolicyId'
>

/** @throws NetworkError when another port has the MAC address */
export async function updatePort(
  trx: Transaction,
  id: string,
  { allowedAddressPairs, ...change }: PortChange,
): Promise<void> {
  const other = await trx('ports').where({ mac: change.mac }).whereNot({ id }).first('networkId')
  if (other)
    throw new NetworkError(
      'MacAddressInUse',
      `Unable to complete operation for network ${other.networkId}. The mac address ${change.mac} is in use.`,
    )
  await trx('ports')
    .where({ id })
    .update({ ...change, allowedAddressPairs: jsonb(trx, allowedAddressPairs), updatedAt: trx.fn.now() })
}

/** These groups from now on, and no others. */
export async function setPortGroups(trx: Transaction, portId: string, groupIds: readonly string[]): Promise<void> {
  await trx('port_security_groups')
    .where({ portId })
    .whereNotIn('securityGroupId', [...groupIds])
    .delete()
  if (groupIds.length > 0)
    await trx('port_security_groups')
      .insert(groupIds.map((securityGroupId) => ({ portId, securityGroupId })))
      .onConflict()
      .ignore()
}

/** Gives a port that the user made to a server. @throws Conflict when it has a device already */
export async function bindPort(
  trx: Transaction,
  id: string,
  to: Pick<PortRow, 'position' | 'deviceOwner'> & { readonly serverId: string } & Partial<
      Pick<PortRow, 'deviceTag' | 'host' | 'status'>
    >,
): Promise<void> {
  const changed = await trx('ports')
    .where({ id, deviceId: '' })
    .whereNull('serverId')
    .update({ ...to, deviceId: to.serverId, updatedAt: trx.fn.now() })
  if (changed === 0) throw new Conflict(`Port ${id} is still in use.`)
}

/** Its addresses must have been released in this transaction. @returns whose it was, and where @throws NotFound */
export async function deletePort(trx: Transaction, id: string): Promise<Pick<PortRow, 'serverId' | 'host'>> {
  const [port] = await trx('ports').where({ id }).delete().returning(['serverId', 'host'])
  if (!port) throw new NotFound('Port', id)
  return port
}

/** Which port holds an address of a network. */
export async function holderOf(db: Db, networkId: string, address: string): Promise<PortRow | null> {
  return (
    (await db('ports')
      .where({ networkId })
      .whereRaw(
        `id in (select a.port_id from addresses a join subnets s on s.id = a.subnet_id where s.network_id = ? and a.address = ?::inet)`,
        [networkId, address],
      )
      .first()) ?? null
  )
}

/** The lowest place that no port of the server has; the caller holds the server's row. */
export async function freePosition(trx: Transaction, serverId: string): Promise<number> {
  const { rows } = await trx.raw<{ rows: { position: number }[] }>(
    `select g as position from generate_series(0, 4095) g
     where not exists (select from ports where server_id = ? and position = g) order by g limit 1`,
    [serverId],
  )
  return rows[0]?.position ?? 0
}

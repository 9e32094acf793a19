/** Networks and subnets. Addresses are `ipam`'s. */
import { NotFound } from '../core/errors.ts'
import { NetworkError } from '../core/network-errors.ts'
import { isUuid } from '../core/uuid.ts'
import { jsonb, type Db, type Transaction } from './connect.ts'
import type { IpRangeRow, NetworkRow, SubnetRow } from './tables.ts'
import type { Viewer } from './images.ts'

/** What the database itself keeps, or has a default for. */
type Kept = 'createdAt' | 'updatedAt' | 'revision' | 'tags'

/** A network with the ids of its subnets, oldest first. */
export interface NetworkWithSubnets extends NetworkRow {
  readonly subnets: readonly string[]
}

export interface NetworkFilter {
  readonly ids: readonly string[] | null
  readonly names: readonly string[] | null
  readonly projectId: string | null
  readonly shared: boolean | null
}

const noFilter: NetworkFilter = { ids: null, names: null, projectId: null, shared: null }

/** What the viewer may use: its own networks and the shared ones. */
export async function listNetworks(
  db: Db,
  filter: Partial<NetworkFilter>,
  { projectId, isAdmin }: Viewer,
): Promise<readonly NetworkWithSubnets[]> {
  const wanted = { ...noFilter, ...filter }
  const query = db('networks')
    .select<NetworkWithSubnets[]>(
      'networks.*',
      db.raw(
        `array(select s.id::text from subnets s where s.network_id = networks.id order by s.created_at, s.id) as subnets`,
      ),
    )
    .orderBy(['createdAt', 'id'])
  if (!isAdmin) void query.whereRaw('(project_id = ? or shared)', [projectId])
  if (wanted.ids !== null) void query.whereIn('id', wanted.ids.filter(isUuid))
  if (wanted.names !== null) void query.whereIn('name', [...wanted.names])
  if (wanted.projectId !== null) void query.where({ projectId: wanted.projectId })
  if (wanted.shared !== null) void query.where({ shared: wanted.shared })
  return await query
}

/** What a new port needs to know of its network; subnets oldest first. */
export interface WireableNetwork {
  readonly id: string
  readonly portSecurityEnabled: boolean
  readonly subnets: readonly { readonly id: string; readonly cidr: string; readonly gateway: string | null }[]
}

/** null when there is none that the viewer may use */
export async function findWireable(
  db: Db,
  id: string,
  { projectId, isAdmin }: Viewer,
): Promise<WireableNetwork | null> {
  if (!isUuid(id)) return null
  const { rows } = await db
    .raw<{ rows: WireableNetwork[] }>(
      `select n.id, n.port_security_enabled,
              (select coalesce(json_agg(json_build_object('id', s.id, 'cidr', s.cidr, 'gateway', host(s.gateway)) order by s.created_at, s.id), '[]')
               from subnets s where s.network_id = n.id) as subnets
       from networks n where n.id = :id and (:isAdmin or n.project_id = :projectId or n.shared)`,
      { id, projectId, isAdmin },
    )
    .options({ name: 'a network to wire' })
  return rows[0] ?? null
}

/** Of every project. */
export async function networkIds(db: Db): Promise<readonly string[]> {
  return await db('networks').pluck('id')
}

/** @throws NotFound when there is none that the viewer may see */
export async function getNetwork(db: Db, id: string, viewer: Viewer): Promise<NetworkWithSubnets> {
  const [row] = await listNetworks(db, { ids: [id] }, viewer)
  if (!row) throw new NotFound('Network', id)
  return row
}

/** The lowest VLAN tag that no network has; the caller holds its transaction until the network is there. */
export async function freeVlan(trx: Transaction): Promise<number> {
  await trx.raw('select pg_advisory_xact_lock(hashtext(?))', ['vlan'])
  const { rows } = await trx.raw<{ rows: { vlan: number }[] }>(
    `select g as vlan from generate_series(2, 4094) g where not exists (select from networks where vlan = g) order by g limit 1`,
  )
  const vlan = rows[0]?.vlan
  if (vlan === undefined)
    throw new NetworkError(
      'NoNetworkAvailable',
      'Unable to create the network. No tenant network is available for allocation.',
    )
  return vlan
}

export type NewNetwork = Omit<NetworkRow, Kept | 'portSecurityEnabled' | 'qosPolicyId' | 'vni'> &
  Partial<Pick<NetworkRow, 'portSecurityEnabled' | 'qosPolicyId' | 'vni'>>

/** The lowest number of tunnels that no network has; the caller holds its transaction until the network is there. */
export async function freeVni(trx: Transaction): Promise<number> {
  await trx.raw('select pg_advisory_xact_lock(hashtext(?))', ['vni'])
  const { rows } = await trx.raw<{ rows: { vni: number }[] }>(
    `select min(g.vni) as vni from (select 1 as vni union all select vni + 1 from networks where vni is not null) g
     where not exists (select from networks n where n.vni = g.vni)`,
  )
  return rows[0]?.vni ?? 1
}

/** @throws NetworkError when the VLAN tag, or the number of tunnels, is taken */
export async function insertNetwork(trx: Transaction, network: NewNetwork): Promise<NetworkRow> {
  const [row] = await trx('networks').insert(network).onConflict().ignore().returning('*')
  if (!row)
    throw new NetworkError(
      'VlanIdInUse',
      typeof network.vni === 'number'
        ? `Unable to create the network. The tunnel ID ${network.vni} is in use.`
        : `Unable to create the network. The VLAN ${String(network.vlan)} on physical network is in use.`,
    )
  return row
}

export type NetworkChange = Pick<
  NetworkRow,
  'name' | 'description' | 'adminStateUp' | 'shared' | 'portSecurityEnabled' | 'qosPolicyId'
>

/** @throws NetworkError when it would be shared no more, and another project has a port on it; NotFound */
export async function updateNetwork(trx: Transaction, id: string, change: NetworkChange): Promise<void> {
  const network = await trx('networks').where({ id }).forUpdate().first()
  if (!network) throw new NotFound('Network', id)
  const foreign =
    network.shared && !change.shared
      ? await trx('ports').where({ networkId: id }).whereNot({ projectId: network.projectId }).first('id')
      : undefined
  if (foreign)
    throw new NetworkError(
      'InvalidSharedSetting',
      `Unable to reconfigure sharing settings for network ${id}. Multiple tenants are using it.`,
    )
  await trx('networks')
    .where({ id })
    .update({ ...change, updatedAt: trx.fn.now() })
}

/** The network with its subnets, whose ranges the caller has dropped. @throws NetworkError when ports are on it; NotFound */
export async function deleteNetwork(trx: Transaction, id: string): Promise<void> {
  const network = await trx('networks').where({ id }).forUpdate().first('id')
  if (!network) throw new NotFound('Network', id)
  const port = await trx('ports').where({ networkId: id }).first('id')
  if (port)
    throw new NetworkError(
      'NetworkInUse',
      `Unable to complete operation on network ${id}. There are one or more ports still in use on the network.`,
    )
  await trx('subnets').where({ networkId: id }).delete()
  await trx('networks').where({ id }).delete()
}

/** A subnet with its allocation ranges, lowest first. */
export interface SubnetWithRanges extends SubnetRow {
  readonly ranges: readonly Pick<IpRangeRow, 'first' | 'last'>[]
  readonly shared: boolean
}

export interface SubnetFilter {
  readonly ids: readonly string[] | null
  readonly names: readonly string[] | null
  readonly networkIds: readonly string[] | null
  readonly projectId: string | null
  readonly cidr: string | null
}

const noSubnetFilter: SubnetFilter = { ids: null, names: null, networkIds: null, projectId: null, cidr: null }

export async function listSubnets(
  db: Db,
  filter: Partial<SubnetFilter>,
  { projectId, isAdmin }: Viewer,
): Promise<readonly SubnetWithRanges[]> {
  const wanted = { ...noSubnetFilter, ...filter }
  const query = db('subnets as s')
    .join('networks as n', 'n.id', 's.network_id')
    .select<SubnetWithRanges[]>(
      's.*',
      'n.shared',
      db.raw(`coalesce((select json_agg(json_build_object('first', host(r.first), 'last', host(r.last)) order by r.first)
                        from ip_ranges r where r.subnet_id = s.id), '[]') as ranges`),
    )
    .orderBy(['s.createdAt', 's.id'])
  if (!isAdmin) void query.whereRaw('(s.project_id = ? or n.shared)', [projectId])
  if (wanted.ids !== null) void query.whereIn('s.id', wanted.ids.filter(isUuid))
  if (wanted.names !== null) void query.whereIn('s.name', [...wanted.names])
  if (wanted.networkIds !== null) void query.whereIn('s.networkId', wanted.networkIds.filter(isUuid))
  if (wanted.projectId !== null) void query.where('s.projectId', wanted.projectId)
  if (wanted.cidr !== null) void query.where('s.cidr', wanted.cidr)
  return await query
}

/** @throws NotFound when there is none that the viewer may see */
export async function getSubnet(db: Db, id: string, viewer: Viewer): Promise<SubnetWithRanges> {
  const [row] = await listSubnets(db, { ids: [id] }, viewer)
  if (!row) throw new NotFound('Subnet', id)
  return row
}

export type NewSubnet = Omit<SubnetRow, Kept | 'hostRoutes' | 'warnPercent' | 'arpProbe'> &
  Partial<Pick<SubnetRow, 'hostRoutes'>>

/** @throws NetworkError when it overlaps another subnet of the network */
export async function insertSubnet(trx: Transaction, { hostRoutes = [], ...subnet }: NewSubnet): Promise<SubnetRow> {
  await trx('networks').where({ id: subnet.networkId }).forUpdate().first('id')
  const overlapping = await trx('subnets')
    .where({ networkId: subnet.networkId })
    .whereRaw('cidr && ?::cidr', [subnet.cidr])
    .first('id')
  if (overlapping)
    throw new NetworkError(
      'InvalidInput',
      `Invalid input for operation: Requested subnet with cidr: ${subnet.cidr} for network: ${subnet.networkId} overlaps with another subnet.`,
    )
  const [row] = await trx('subnets')
    .insert({ ...subnet, dnsServers: [...subnet.dnsServers], hostRoutes: jsonb(trx, hostRoutes) })
    .returning('*')
  if (!row) throw new NotFound('Subnet', subnet.id)
  return row
}

export type SubnetChange = Pick<SubnetRow, 'name' | 'description' | 'gateway' | 'dhcp' | 'dnsServers' | 'hostRoutes'>

/** @throws NetworkError when a port has the new gateway's address */
export async function updateSubnet(
  trx: Transaction,
  { id }: Pick<SubnetRow, 'id'>,
  { hostRoutes, dnsServers, ...change }: SubnetChange,
): Promise<void> {
  const holder =
    change.gateway === null
      ? undefined
      : await trx('addresses')
          .where({ subnetId: id, state: 'used' })
          .whereRaw('address = ?::inet', [change.gateway])
          .first('portId')
  if (holder)
    throw new NetworkError(
      'GatewayIpInUse',
      `Current gateway ip ${String(change.gateway)} already in use by port ${String(holder.portId)}. Unable to update.`,
    )
  await trx('subnets')
    .where({ id })
    .update({
      ...change,
      dnsServers: [...dnsServers],
      hostRoutes: jsonb(trx, hostRoutes),
      updatedAt: trx.fn.now(),
    })
}

/** The subnet's row is locked, and no port has an address on it. @throws NetworkError, NotFound */
export async function deleteSubnet(trx: Transaction, id: string): Promise<void> {
  const gone = await trx('subnets').where({ id }).forUpdate().first('id')
  if (!gone) throw new NotFound('Subnet', id)
  const used = await trx('addresses').where({ subnetId: id, state: 'used' }).first('address')
  if (used)
    throw new NetworkError(
      'SubnetInUse',
      `Unable to complete operation on subnet ${id}: One or more ports have an IP allocation from this subnet.`,
    )
  await trx('subnets').where({ id }).delete()
}

/** How long freed addresses rest, when the subnet counts as nearly full, and whether new addresses are asked for on the wire. */
export async function setSubnetWatch(
  db: Db,
  id: string,
  change: Partial<Pick<SubnetRow, 'quarantineSeconds' | 'warnPercent' | 'arpProbe'>>,
): Promise<void> {
  if (Object.keys(change).length > 0)
    await db('subnets')
      .where({ id })
      .update({ ...change, updatedAt: db.fn.now() })
}

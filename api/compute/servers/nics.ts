/** Which networks and ports a new server is to have. Source: nova/network/neutron.py, validate_networks. */
import { randomUUID } from 'node:crypto'
import { AddressInUse, Conflict, Invalid, NotFound, OverQuota, SubnetFull } from '../../../core/errors.ts'
import { NetworkError } from '../../../core/network-errors.ts'
import type { Transaction } from '../../../db/connect.ts'
import type { Viewer } from '../../../db/images.ts'
import { withinNetworkQuota } from '../../../db/network-quotas.ts'
import { findWireable, listNetworks, type WireableNetwork } from '../../../db/networks.ts'
import { bindPort, getPort, holderOf, type PortWithAddresses } from '../../../db/ports.ts'
import { listGroups, type PoolGroup } from '../../../ipam/groups.ts'
import { newPort, type PortWish } from '../../network/new-port.ts'
import { contains } from '../../network/subnet-of.ts'
import type { CreateServer } from './create-body.ts'

/** One NIC: a port of the user's, or a new one. */
export type Nic = (
  | { readonly kind: 'port'; readonly port: PortWithAddresses }
  | {
      readonly kind: 'new'
      readonly network: WireableNetwork
      readonly address: string | null
    }
  /** an address of the first of these pools that has one */
  | { readonly kind: 'group'; readonly name: string; readonly pools: readonly Extract<Nic, { kind: 'new' }>[] }
) & {
  /** the user's own word for the device, told to the guest */
  readonly tag?: string | null
}

export type NewNic = Extract<Nic, { kind: 'new' }>
type Wish = Exclude<NonNullable<CreateServer['networks']>, string>[number]

/** What the path calls not found is bad input in a body. */
async function known<T>(found: Promise<T>, sentence: string): Promise<T> {
  try {
    return await found
  } catch (error) {
    throw error instanceof NotFound ? new Invalid(sentence, { cause: error }) : error
  }
}

/** @throws NotFound when there is no such network that the viewer may use; Invalid when it cannot give the address */
export async function onNetwork(
  trx: Transaction,
  networkId: string,
  { address, viewer }: { readonly address: string | null; readonly viewer: Viewer },
): Promise<NewNic> {
  const network = await findWireable(trx, networkId, viewer)
  if (!network) throw new NotFound('Network', networkId)
  return newOn(network, address)
}

function newOn(network: WireableNetwork, address: string | null): NewNic {
  const { id, subnets } = network
  if (subnets.length === 0) throw new Invalid(`Network ${id} requires a subnet in order to boot instances on.`)
  if (address !== null && !subnets.some(({ cidr }) => contains(cidr, address)))
    throw new Invalid(`Fixed IP address ${address} is not a valid ip address for network ${id}.`)
  return { kind: 'new', network, address }
}

/** @throws NotFound, Conflict when it has a device, Invalid when it has no address */
export async function onPort(trx: Transaction, id: string, viewer: Viewer): Promise<Nic> {
  const port = await getPort(trx, id, viewer)
  if (port.deviceId !== '') throw new Conflict(`Port ${id} is still in use.`)
  if (port.fixedIps.length === 0) throw new Invalid(`Port ${id} requires a FixedIP in order to be used.`)
  return { kind: 'port', port }
}

async function onGroup(
  trx: Transaction,
  { name, networkIds }: PoolGroup,
  { address, viewer }: { readonly address: string | null; readonly viewer: Viewer },
): Promise<Nic> {
  if (address !== null)
    throw new Invalid(`Fixed IP address ${address}: name the network instead of pool group ${name}.`)
  const pools = await Promise.all(
    networkIds.map((id) =>
      known(onNetwork(trx, id, { address: null, viewer }), `Network ${id} of pool group ${name} could not be found.`),
    ),
  )
  return { kind: 'group', name, pools }
}

async function asWished(trx: Transaction, wish: Wish, viewer: Viewer): Promise<Nic> {
  if (wish.port) return await known(onPort(trx, wish.port, viewer), `Port id ${wish.port} could not be found.`)
  if (wish.uuid === undefined) throw new Invalid('Bad networks format: network uuid is not in proper format (None)')
  const where = { address: wish.fixed_ip ?? null, viewer }
  const network = await findWireable(trx, wish.uuid, viewer)
  if (network) return newOn(network, where.address)
  const [group] = await listGroups(trx, wish.uuid)
  if (group) return await onGroup(trx, group, where)
  throw new Invalid(`Network ${wish.uuid} could not be found.`)
}

/** None asked for: the one network that the project can use, if there is exactly one. */
export async function automatic(trx: Transaction, viewer: Viewer, required: boolean): Promise<readonly Nic[]> {
  const [only, ...others] = await listNetworks(trx, {}, { ...viewer, isAdmin: false })
  if (others.length > 0) throw new Conflict('Multiple possible networks found, use a Network ID to be more specific.')
  if (only) return [await onNetwork(trx, only.id, { address: null, viewer })]
  if (required) throw new Invalid('Unable to automatically allocate a network for project ' + viewer.projectId)
  return []
}

/** @throws Invalid, Conflict as Nova does */
export async function resolveNics(
  trx: Transaction,
  wanted: CreateServer['networks'],
  viewer: Viewer,
): Promise<readonly Nic[]> {
  if (wanted === 'none') return []
  if (wanted === 'auto' || wanted === undefined || wanted.length === 0)
    return await automatic(trx, viewer, wanted === 'auto')
  const nics: Nic[] = []
  for (const wish of wanted) nics.push({ ...(await asWished(trx, wish, viewer)), tag: wish.tag ?? null })
  const ports = nics.flatMap((nic) => (nic.kind === 'port' ? nic.port.id : []))
  if (new Set(ports).size < ports.length) throw new Conflict(`Port ${ports[0] ?? ''} is still in use.`)
  return nics
}

/** The server that NICs are for. */
export interface ForServer {
  readonly serverId: string
  readonly name: string
  readonly projectId: string
  readonly availabilityZone: string
  readonly securityGroupIds: readonly string[]
  /** the host that it stands on, if it does */
  readonly host?: string | null
}

/** Whoever holds the wished address is named, as Nova does. */
async function addressTaken(trx: Transaction, networkId: string, address: string, error: AddressInUse): Promise<Error> {
  const holder = await holderOf(trx, networkId, address)
  const owner = holder?.serverId ? `instance ${holder.serverId}` : `port ${holder?.id ?? 'unknown'}`
  return new Invalid(`Fixed IP address ${address} is already in use on ${owner}.`, { cause: error })
}

/** In turn: a full pool leaves the place to the next. @throws SubnetFull of the last */
async function planGroup(
  trx: Transaction,
  { pools }: Extract<Nic, { kind: 'group' }>,
  position: number,
  of: ForServer,
): Promise<void> {
  for (const pool of pools) {
    try {
      await trx.transaction((inner) => plan(inner, pool, position, of))
      return
    } catch (error) {
      if (!(error instanceof SubnetFull) || pool === pools.at(-1)) throw error
    }
  }
}

function placeOf(nic: Nic, position: number, { serverId, availabilityZone, host }: ForServer) {
  return {
    serverId,
    position,
    deviceOwner: `compute:${availabilityZone}`,
    deviceTag: nic.tag ?? null,
    ...(host ? { host, status: 'BUILD' as const } : {}),
  }
}

export function wishOf(nic: NewNic, position: number, of: ForServer): PortWish {
  const { network, address } = nic
  return {
    port: {
      id: randomUUID(),
      networkId: network.id,
      projectId: of.projectId,
      name: '',
      description: '',
      adminStateUp: true,
      deviceId: of.serverId,
      isOwnedByServer: true,
      portSecurityEnabled: network.portSecurityEnabled,
      ...placeOf(nic, position, of),
    },
    mac: null,
    securityGroupIds: network.portSecurityEnabled ? of.securityGroupIds : [],
    fixedIps: address === null ? null : [{ address }],
    serverName: of.name,
  }
}

/** One more port of a server's, with its addresses. @throws Conflict, Invalid, SubnetFull */
export async function plan(trx: Transaction, nic: Nic, position: number, of: ForServer): Promise<void> {
  if (nic.kind === 'port') {
    await bindPort(trx, nic.port.id, placeOf(nic, position, of))
    return
  }
  if (nic.kind === 'group') {
    await planGroup(trx, nic, position, of)
    return
  }
  const { network, address } = nic
  try {
    await newPort(trx, wishOf(nic, position, of), network.subnets)
  } catch (error) {
    throw error instanceof AddressInUse && address !== null
      ? await addressTaken(trx, network.id, address, error)
      : error
  }
}

/** Nova says it as it says all quotas. @throws OverQuota */
export async function withinPortQuota(trx: Transaction, projectId: string): Promise<void> {
  try {
    await withinNetworkQuota(trx, projectId, 'port')
  } catch (error) {
    throw error instanceof NetworkError ? new OverQuota('Maximum number of ports exceeded', { cause: error }) : error
  }
}

/** Writes new servers with their ports, actions and jobs. */
import type { Transaction } from '../../../db/connect.ts'
import { insertServers, type NewServers, type WiredPort } from '../../../db/new-servers.ts'
import { newMac } from '../../../ipam/mac.ts'
import type { Subnet } from '../../../ipam/subnet.ts'
import { allocateAny, familiesOf, newPort, type PortWish } from '../../network/new-port.ts'
import { plan, wishOf, type ForServer, type NewNic, type Nic } from './nics.ts'

/** A port that is made along with its server: any address of one network will do. */
interface PlainPort {
  readonly wish: PortWish
  readonly subnets: readonly Subnet[]
}

interface Wiring {
  readonly of: ForServer
  readonly nic: Nic
  readonly position: number
}

function isPlain(nic: Nic): nic is NewNic {
  return nic.kind === 'new' && nic.address === null
}

function wiredPort({ wish, subnets }: PlainPort): WiredPort {
  const { port, securityGroupIds, serverName } = wish
  const subnetIds = familiesOf(subnets).flatMap(([first]) => first?.id ?? [])
  return { port: { ...port, mac: newMac() }, securityGroupIds, serverName, subnetIds }
}

/**
 * All that is plain in one statement; then, in turn, ports that the user made, named addresses, groups of pools, and what the one statement
 * could not do since a MAC address was taken or a first subnet full.
 *
 * @param servers each with what its ports are to know of it
 * @throws Conflict, Invalid, SubnetFull
 */
export async function writeServers(
  trx: Transaction,
  made: Omit<NewServers, 'ports'>,
  { servers, nics }: { readonly servers: readonly ForServer[]; readonly nics: readonly Nic[] },
): Promise<void> {
  const plain: PlainPort[] = []
  const others: Wiring[] = []
  for (const of of servers)
    for (const [position, nic] of nics.entries())
      if (isPlain(nic)) plain.push({ wish: wishOf(nic, position, of), subnets: nic.network.subnets })
      else others.push({ of, nic, position })
  const wired = await insertServers(trx, { ...made, ports: plain.map(wiredPort) })
  for (const { wish, subnets } of plain) if (!wired.ports.has(wish.port.id)) await newPort(trx, wish, subnets)
  for (const { portId, subnetId } of wired.unaddressed) {
    const port = plain.find(({ wish }) => wish.port.id === portId)
    const family = familiesOf(port?.subnets ?? []).find((subnets) => subnets.some(({ id }) => id === subnetId))
    if (port && family) await allocateAny(trx, family, port.wish)
  }
  for (const { of, nic, position } of others) await plan(trx, nic, position, of)
}

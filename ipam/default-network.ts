import { randomUUID } from 'node:crypto'
import ipaddr from 'ipaddr.js'
import { Invalid } from '../core/errors.ts'
import type { Db } from '../db/connect.ts'
import { insertNetwork, insertSubnet } from '../db/networks.ts'
import { createRanges } from './ranges.ts'

export interface NetworkSettings {
  readonly projectId: string
  readonly networkName: string
  readonly networkCidr: string
  readonly networkVlan: number | null
  readonly networkMtu: number
  readonly dnsServers: readonly string[]
  readonly quarantineSeconds: number
}

/** The first address of a subnet, its gateway by custom. @throws Invalid when it is no subnet */
export function firstAddress(cidr: string): string {
  if (!ipaddr.isValidCIDR(cidr)) throw new Invalid(`${cidr} is not a subnet such as 10.77.0.0/22`)
  const [network, prefixLength] = ipaddr.parseCIDR(cidr)
  const base =
    network.kind() === 'ipv4'
      ? ipaddr.IPv4.networkAddressFromCIDR(`${network.toString()}/${prefixLength}`)
      : ipaddr.IPv6.networkAddressFromCIDR(`${network.toString()}/${prefixLength}`)
  const bytes = base.toByteArray()
  // The only address of a subnet of one: there is none after it.
  if (bytes.at(-1) === 255) return base.toString()
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) + 1
  return ipaddr.fromByteArray(bytes).toString()
}

/** The network that every project may use, with one subnet. One of this name, shared, is left as it is. @returns its id */
export async function createDefaultNetwork(db: Db, settings: NetworkSettings): Promise<string> {
  const { projectId, networkName: name, networkVlan: vlan, networkMtu: mtu, networkCidr: cidr } = settings
  return await db.transaction(async (trx) => {
    await trx.raw('select pg_advisory_xact_lock(hashtext(?))', ['default network'])
    const present = await trx('networks').where({ name, shared: true }).first('id')
    if (present) return present.id
    const id = randomUUID()
    await insertNetwork(trx, { id, projectId, name, description: '', vlan, mtu, shared: true, adminStateUp: true })
    const subnet = await insertSubnet(trx, {
      id: randomUUID(),
      networkId: id,
      projectId,
      name: `${name}-subnet`,
      description: '',
      cidr,
      gateway: firstAddress(cidr),
      dnsServers: settings.dnsServers,
      dhcp: true,
      quarantineSeconds: settings.quarantineSeconds,
    })
    await createRanges(trx, subnet, null)
    return id
  })
}

/** What this host sees of one network: its ports, its guests' addresses, and who answers on the wire. */
import { z } from 'zod'
import type { Sightings } from '../core/sighting.ts'
import { askedAddresses, networkOnWire, portsOfNetwork, unknownPorts } from '../ipam/sight.ts'
import type { Host } from './host.ts'
import { lookoutDevice } from './prove.ts'

const path = /^\/networks\/([0-9a-f-]{36})\/sightings$/
const query = z.object({ probe: z.stringbool().default(false) })

/** @returns null when there is no such network */
async function look(host: Host, networkId: string, isProbing: boolean): Promise<Sightings | null> {
  const { db, wires } = host
  const network = await networkOnWire(db, networkId)
  if (!network) return null
  const known = new Map((await portsOfNetwork(db, networkId)).map(({ portId, serverId }) => [portId, serverId]))
  const stray = await strayOf(host, network.vlan)
  const plugged = (await wires.list()).filter(({ portId }) => known.has(portId) || stray.has(portId))
  const ports = await Promise.all(
    plugged.map(async ({ portId, device, mac, vlan, error, serverId }) => ({
      port_id: portId,
      device,
      mac,
      vlan,
      error,
      guest: await guestAt(host, portId, known.get(portId) ?? serverId),
    })),
  )
  const wanted = isProbing ? await askedAddresses(db, networkId) : []
  const place = { device: lookoutDevice(networkId), vlan: network.vlan, mtu: network.mtu }
  const answers = [...(await wires.probe(place, wanted))].map(([address, macs]) => ({ address, macs: [...macs] }))
  return { ports, answers, asked: wanted.length }
}

/** Ports with the network's tag that no row knows. */
async function strayOf({ db, wires }: Host, vlan: number | null): Promise<ReadonlySet<string>> {
  const here = (await wires.list()).filter((port) => port.vlan === vlan).map(({ portId }) => portId)
  return new Set(await unknownPorts(db, here))
}

async function guestAt(
  { wires }: Host,
  portId: string,
  serverId: string | null,
): Promise<Sightings['ports'][number]['guest']> {
  const found = serverId === null ? null : await wires.seen({ portId, serverId })
  return found ? { mac: found.mac, addresses: [...found.addresses] } : null
}

/** Answers what is asked of a network. @returns null when something else is asked */
export async function answerOfNetwork(
  host: Host,
  url: URL,
): Promise<{ readonly status: number; readonly text: string } | null> {
  const networkId = path.exec(url.pathname)?.[1]
  if (networkId === undefined) return null
  const parsed = query.safeParse(Object.fromEntries(url.searchParams))
  if (!parsed.success) return { status: 400, text: 'probe: true or false' }
  const found = await look(host, networkId, parsed.data.probe)
  return found ? { status: 200, text: JSON.stringify(found) } : { status: 404, text: 'not found' }
}

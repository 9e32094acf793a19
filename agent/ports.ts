/** What only this host knows of a port: whether it stands, what it has carried, and where the switch would end a packet from it. */
import { Unavailable } from '../core/errors.ts'
import { hostDevice, type Vif } from '../core/network.ts'
import { traceQuery, type PortState, type TraceQuery, type WireVerdict } from '../core/trace.ts'
import { vifOfPort } from '../db/vifs.ts'
import type { TracedPacket } from '../netns/index.ts'
import type { Host } from './host.ts'

/** @returns undefined when no server has the port */
async function stateOf({ db, wires }: Host, portId: string): Promise<PortState | undefined> {
  const vif = await vifOfPort(db, portId)
  if (!vif) return undefined
  const plugged = (await wires.list()).find((port) => port.portId === portId)
  const counters = await wires.counters(portId)
  return {
    device: hostDevice(portId),
    vlan: vif.vlan,
    is_plugged: plugged?.error === null,
    error: plugged ? plugged.error : 'not plugged on its host',
    counters: counters && { received: counters.sent, sent: counters.received },
  }
}

/** The port as one end of a packet. @throws Unavailable when it has no address of the family */
function endOf({ portId, mac, addresses }: Vif, family: number): TracedPacket['from'] {
  const found = addresses.find(({ address }) => address.includes(':') === (family === 6))
  if (!found) throw new Unavailable(`port ${portId} has no IPv${family} address`)
  return { mac, address: found.address }
}

/** @returns undefined when no server has one of the ports, null when the way from another host is a tunnel, which nobody follows */
async function traceFrom(
  { db, wires }: Host,
  portId: string,
  query: TraceQuery,
): Promise<WireVerdict | null | undefined> {
  const [from, to] = await Promise.all([vifOfPort(db, portId), vifOfPort(db, query.to)])
  if (!from || !to) return undefined
  const { protocol, port, family, arrives } = query
  const packet = { protocol, port, from: endOf(from, family), to: endOf(to, family) }
  if (!arrives) return await wires.trace(portId, packet)
  return to.vni === undefined || to.vni === null ? await wires.traceArrival(packet, to.vlan) : null
}

const path = /^\/ports\/([0-9a-f-]{36})(\/trace)?$/

/** Answers what is asked of a port. @returns null when something else is asked */
export async function answerOfPort(
  host: Host,
  url: URL,
): Promise<{ readonly status: number; readonly text: string } | null> {
  const [, portId, isTrace] = path.exec(url.pathname) ?? []
  if (portId === undefined) return null
  const query = traceQuery.safeParse(Object.fromEntries(url.searchParams))
  if (isTrace !== undefined && !query.success) return { status: 400, text: 'to, family, protocol, port' }
  const found =
    isTrace !== undefined && query.success ? await traceFrom(host, portId, query.data) : await stateOf(host, portId)
  return found === undefined ? { status: 404, text: 'not found' } : { status: 200, text: JSON.stringify(found) }
}

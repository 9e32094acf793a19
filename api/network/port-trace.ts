/** How a port stands on its host, and which rule lets a packet to another port pass, or stops it. */
import { z } from 'zod'
import { Invalid } from '../../core/errors.ts'
import { portState, traceQuery, wireVerdict, type PortState, type TraceQuery } from '../../core/trace.ts'
import { getPort, type PortWithAddresses } from '../../db/ports.ts'
import { listRules, listSecurityGroups } from '../../db/security-groups.ts'
import { parseQuery } from '../body.ts'
import { viewerOf } from '../caller.ts'
import { askAgent } from '../compute/ask-agent.ts'
import type { Call, Reply } from '../route.ts'
import { letsPass, type Peer } from './rule-match.ts'

interface Step {
  readonly at: 'network' | 'sender' | 'egress' | 'ingress' | 'receiver' | 'switch'
  readonly passes: boolean
  readonly reason: string
}

const everything = { projectId: '', isAdmin: true } as const

/** null when no host has the port. @throws Unavailable when its agent does not answer */
async function stateOf({ db }: Call, { id, host, serverId }: PortWithAddresses): Promise<PortState | null> {
  if (host === null || serverId === null) return null
  return portState.parse(JSON.parse(await askAgent(db, host, { path: `/ports/${id}`, what: `Port ${id}` })))
}

export async function state(call: Call): Promise<Reply> {
  const port = await getPort(call.db, call.params.id ?? '', viewerOf(call.caller))
  const found = await stateOf(call, port)
  const unbound = { device: null, vlan: null, is_plugged: false, error: 'no server has it', counters: null }
  return { status: 200, body: { state: { id: port.id, host: port.host, ...(found ?? unbound) } } }
}

async function standing(call: Call, at: 'sender' | 'receiver', port: PortWithAddresses): Promise<Step> {
  const found = await stateOf(call, port)
  const reason = found === null ? 'no server has it' : found.error
  return { at, passes: reason === null, reason: `port ${port.id}: ${reason ?? `plugged as ${found?.device ?? ''}`}` }
}

/** @throws Invalid when the port has no address of the family */
function peerOf(port: PortWithAddresses, { family }: TraceQuery): Peer {
  const found = port.fixedIps.find(({ address }) => address.includes(':') === (family === 6))
  if (!found) throw new Invalid(`Port ${port.id} has no IPv${family} address.`)
  return { address: found.address, groupIds: port.securityGroupIds }
}

/** The rule of the port's groups that lets the connection pass, or that none does. */
async function judged(
  call: Call,
  at: 'egress' | 'ingress',
  { port, peer, asked }: { readonly port: PortWithAddresses; readonly peer: Peer; readonly asked: TraceQuery },
): Promise<Step> {
  if (!port.portSecurityEnabled) return { at, passes: true, reason: `port ${port.id}: port security is off` }
  const groupIds = port.securityGroupIds
  const names = new Map(
    (await listSecurityGroups(call.db, { ids: groupIds }, everything)).map(({ id, name }) => [id, name]),
  )
  const rules = await listRules(call.db, { groupIds }, everything)
  const found = rules.find((rule) => rule.direction === at && letsPass(rule, asked, peer))
  const what = `${asked.protocol}${asked.protocol === 'icmp' ? '' : ` port ${asked.port}`}`
  const way = `${what} ${at === 'egress' ? 'to' : 'from'} ${peer.address}`
  if (found)
    return {
      at,
      passes: true,
      reason: `rule ${found.id} of security group ${names.get(found.securityGroupId) ?? ''} lets ${way} pass`,
    }
  const groups = [...names.values()].join(', ')
  const none = groups === '' ? 'it has no security group' : `no ${at} rule of its security groups (${groups})`
  return {
    at,
    passes: false,
    reason: `port ${port.id}: ${none}${groups === '' ? ', so nothing passes' : ` lets ${way} pass`}`,
  }
}

interface Way {
  readonly from: PortWithAddresses
  readonly to: PortWithAddresses
  readonly asked: TraceQuery
}

/** What the switch of one host would do; of a packet that comes from another host when it `arrives`. */
async function askSwitch(
  call: Call,
  host: string,
  { from, to, asked, arrives }: Way & { readonly arrives: boolean },
): Promise<z.output<typeof wireVerdict> | null> {
  const query = new URLSearchParams({
    to: to.id,
    family: `${asked.family}`,
    protocol: asked.protocol,
    port: `${asked.port}`,
    arrives: `${arrives}`,
  })
  const path = `/ports/${from.id}/trace?${query.toString()}`
  const text = await askAgent(call.db, host, { path, what: `The switch of host ${host}` })
  return wireVerdict.nullable().parse(JSON.parse(text))
}

/** The switches themselves say what they would do: the sender's, and the receiver's when that is on another host and no tunnel between. */
async function switched(call: Call, way: Way): Promise<readonly Step[]> {
  const [here, there] = [way.from.host, way.to.host]
  if (here === null || there === null) return []
  const step = ({ passes, stage }: z.output<typeof wireVerdict>, host: string, onward: string): Step => ({
    at: 'switch',
    passes,
    reason: passes ? `the switch of ${host} ${onward}` : `the switch of ${host} drops it in its table ${stage}`,
  })
  const sent = await askSwitch(call, here, { ...way, arrives: false })
  if (here === there) return sent === null ? [] : [step(sent, here, 'delivers it')]
  const leaving = sent === null ? [] : [step(sent, here, `sends it on to ${there}`)]
  if (sent?.passes === false) return leaving
  const arriving = await askSwitch(call, there, { ...way, arrives: true })
  return arriving === null ? leaving : [...leaving, step(arriving, there, 'delivers it')]
}

async function stepsOf(call: Call, from: PortWithAddresses, to: PortWithAddresses): Promise<readonly Step[]> {
  const asked = parseQuery(traceQuery, call.query)
  if (from.networkId !== to.networkId) {
    const reason = `networks ${from.networkId} and ${to.networkId} are not joined`
    return [{ at: 'network', passes: false, reason }]
  }
  const ends = [await standing(call, 'sender', from), await standing(call, 'receiver', to)]
  const rules = [
    await judged(call, 'egress', { port: from, peer: peerOf(to, asked), asked }),
    await judged(call, 'ingress', { port: to, peer: peerOf(from, asked), asked }),
  ]
  const isWhole = ends.every(({ passes }) => passes)
  return [...ends, ...rules, ...(isWhole ? await switched(call, { from, to, asked }) : [])]
}

const target = z.object({ to: z.string() })

export async function trace(call: Call): Promise<Reply> {
  const viewer = viewerOf(call.caller)
  const from = await getPort(call.db, call.params.id ?? '', viewer)
  const to = await getPort(call.db, parseQuery(target, call.query).to, viewer)
  const steps = await stepsOf(call, from, to)
  return { status: 200, body: { trace: { passes: steps.every(({ passes }) => passes), steps } } }
}

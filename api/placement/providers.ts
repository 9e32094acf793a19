/** Hosts as resource providers: all of them roots. */
import { Invalid, NotFound } from '../../core/errors.ts'
import { isUuid } from '../../core/uuid.ts'
import { listAggregates } from '../../db/aggregates.ts'
import { traitsOf } from '../../db/host-traits.ts'
import { hostsWithUse, type HostUse } from '../../db/hosts.ts'
import { listPromised } from '../../db/promises.ts'
import { queryRecord } from '../body.ts'
import type { Call, Reply } from '../route.ts'
import { amountsIn, amountsOf, hasRoom, inventoriesOf, usagesOf } from './amounts.ts'

type Json = Readonly<Record<string, unknown>>

/** Nothing is changed here, so nobody compares it. */
export const generation = 0

const belows = [
  ['inventories', 0],
  ['usages', 0],
  ['aggregates', 1],
  ['traits', 6],
  ['allocations', 11],
] as const

function view({ id, name }: HostUse, version: number): Json {
  const path = `/placement/resource_providers/${id}`
  const links = belows.filter(([, since]) => version >= since).map(([rel]) => ({ rel, href: `${path}/${rel}` }))
  return {
    uuid: id,
    name,
    generation,
    links: [{ rel: 'self', href: path }, ...links],
    ...(version >= 14 ? { parent_provider_uuid: null, root_provider_uuid: id } : {}),
  }
}

/** `in:a,b` is any of them. */
function wordsOf(text: string): readonly string[] {
  return text.replace(/^in:/, '').split(',')
}

function hasTraits(host: HostUse, asked: string): boolean {
  const present = traitsOf(host)
  return asked.split(',').every((word) => present.includes(word.replace(/^!/, '')) !== word.startsWith('!'))
}

async function membersOf({ db }: Call, asked: string): Promise<readonly string[]> {
  const words = wordsOf(asked)
  return (await listAggregates(db)).filter(({ uuid }) => words.includes(uuid)).flatMap(({ hosts }) => hosts)
}

const filters = ['name', 'uuid', 'in_tree', 'member_of', 'resources', 'required'] as const

/** The hosts that a query is for. @throws Invalid for a word that is not known */
export async function hostsFor(call: Call, known: readonly string[] = filters): Promise<readonly HostUse[]> {
  const asked = queryRecord(call.query)
  const unknown = Object.keys(asked).find((word) => !known.includes(word))
  if (unknown !== undefined) throw new Invalid(`Invalid query string parameters: '${unknown}' was unexpected`)
  const wanted = amountsIn(asked.resources ?? 'VCPU:1')
  const members = asked.member_of === undefined ? null : await membersOf(call, asked.member_of)
  return (await hostsWithUse(call.db)).filter(
    (host) =>
      host.name === (asked.name ?? host.name) &&
      host.id === (asked.uuid ?? host.id) &&
      host.id === (asked.in_tree ?? host.id) &&
      (members?.includes(host.name) ?? true) &&
      (asked.required === undefined || hasTraits(host, asked.required)) &&
      (asked.resources === undefined || hasRoom(host, wanted)),
  )
}

export async function index(call: Call, version: number): Promise<Reply> {
  const hosts = await hostsFor(call)
  return { status: 200, body: { resource_providers: hosts.map((host) => view(host, version)) } }
}

async function hostOf({ db, params: { uuid = '' } }: Call): Promise<HostUse> {
  const host = isUuid(uuid) ? (await hostsWithUse(db)).find(({ id }) => id === uuid) : undefined
  if (!host) throw new NotFound('Resource provider', uuid)
  return host
}

export async function show(call: Call, version: number): Promise<Reply> {
  return { status: 200, body: view(await hostOf(call), version) }
}

const told = { resource_provider_generation: generation } as const

export async function inventories(call: Call): Promise<Reply> {
  return { status: 200, body: { ...told, inventories: inventoriesOf(await hostOf(call)) } }
}

export async function inventory(call: Call): Promise<Reply> {
  const { name = '' } = call.params
  const found = Object.entries(inventoriesOf(await hostOf(call))).find(([known]) => known === name)
  if (!found) throw new NotFound('Inventory of class', name)
  return { status: 200, body: { ...told, ...found[1] } }
}

export async function usages(call: Call): Promise<Reply> {
  return { status: 200, body: { ...told, usages: usagesOf(await hostOf(call)) } }
}

export async function traits(call: Call): Promise<Reply> {
  return { status: 200, body: { ...told, traits: traitsOf(await hostOf(call)) } }
}

export async function aggregates(call: Call, version: number): Promise<Reply> {
  const { name } = await hostOf(call)
  const of = (await listAggregates(call.db)).filter(({ hosts }) => hosts.includes(name))
  return { status: 200, body: { aggregates: of.map(({ uuid }) => uuid), ...(version >= 19 ? told : {}) } }
}

export async function allocations(call: Call, version: number): Promise<Reply> {
  const { id: hostId } = await hostOf(call)
  const more = version >= 28 ? { consumer_generation: generation } : {}
  const rows = await listPromised(call.db, { hostId })
  const entries = rows.map((one) => [one.serverId, { resources: amountsOf(one), ...more }] as const)
  return { status: 200, body: { ...told, allocations: Object.fromEntries(entries) } }
}

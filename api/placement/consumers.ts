/** What servers take, and where what they ask for would fit. */
import { Invalid } from '../../core/errors.ts'
import { isUuid } from '../../core/uuid.ts'
import { traitsOf } from '../../db/host-traits.ts'
import type { HostUse } from '../../db/hosts.ts'
import { listPromised, type Promised } from '../../db/promises.ts'
import type { Call, Reply } from '../route.ts'
import {
  amountsIn,
  amountsOf,
  capacityOf,
  inventoriesOf,
  resourceClasses,
  usagesOf,
  type Amounts,
  type ResourceClass,
} from './amounts.ts'
import { generation, hostsFor } from './providers.ts'

type Json = Readonly<Record<string, unknown>>

/** All that take something here are servers. */
const consumerType = 'INSTANCE'

/** GET /allocations/{consumer}: none are shown as none, whether there is such a server or not. */
export async function allocations(call: Call, version: number): Promise<Reply> {
  const { consumer = '' } = call.params
  if (!isUuid(consumer)) throw new Invalid(`Consumer ${consumer} is no uuid.`)
  const rows = await listPromised(call.db, { serverId: consumer })
  const [first] = rows
  const owner = first && version >= 12 ? { project_id: first.projectId, user_id: first.userId } : {}
  return {
    status: 200,
    body: {
      allocations: Object.fromEntries(rows.map((row) => [row.hostId, { generation, resources: amountsOf(row) }])),
      ...owner,
      ...(first && version >= 28 ? { consumer_generation: generation } : {}),
      ...(first && version >= 38 ? { consumer_type: consumerType } : {}),
    },
  }
}

function sumOf(rows: readonly Promised[]): Amounts {
  const amounts = rows.map(amountsOf)
  const total = (name: ResourceClass): number => amounts.reduce((sum, one) => sum + (one[name] ?? 0), 0)
  return Object.fromEntries(
    resourceClasses.flatMap((name) => (total(name) === 0 ? [] : [[name, total(name)] as const])),
  )
}

/** GET /usages?project_id=...: by type of consumer since 1.38. */
export async function usages({ db, query }: Call, version: number): Promise<Reply> {
  const [projectId, userId] = [query.get('project_id'), query.get('user_id')]
  if (projectId === null) throw new Invalid("Invalid query string parameters: 'project_id' is a required property")
  const rows = await listPromised(db, { projectId, ...(userId === null ? {} : { userId }) })
  const consumers = new Set(rows.map(({ serverId }) => serverId)).size
  const byType = consumers === 0 ? {} : { [consumerType]: { consumer_count: consumers, ...sumOf(rows) } }
  return { status: 200, body: { usages: version >= 38 ? byType : sumOf(rows) } }
}

function summary(host: HostUse, version: number): Json {
  const used = usagesOf(host)
  const resources = Object.entries(inventoriesOf(host)).map(([name, inventory]) => [
    name,
    { capacity: capacityOf(inventory), used: Object.entries(used).find(([known]) => known === name)?.[1] ?? 0 },
  ])
  return {
    resources: Object.fromEntries(resources),
    ...(version >= 17 ? { traits: traitsOf(host) } : {}),
    ...(version >= 29 ? { root_provider_uuid: host.id, parent_provider_uuid: null } : {}),
  }
}

function request({ id }: HostUse, resources: Amounts, version: number): Json {
  if (version < 12) return { allocations: [{ resource_provider: { uuid: id }, resources }] }
  return { allocations: { [id]: { resources } }, ...(version >= 34 ? { mappings: { '': [id] } } : {}) }
}

/** GET /allocation_candidates?resources=...: the hosts with room; whether one takes servers at all is the scheduler's to say. */
export async function candidates(call: Call, version: number): Promise<Reply> {
  const text = call.query.get('resources')
  if (text === null) throw new Invalid("Invalid query string parameters: 'resources' is a required property")
  const limit = call.query.get('limit') ?? ''
  if (limit !== '' && !/^[1-9]\d{0,8}$/.test(limit))
    throw new Invalid(`Invalid query string parameters: limit ${limit}`)
  const all = await hostsFor(call, ['resources', 'required', 'member_of', 'in_tree', 'limit'])
  const hosts = limit === '' ? all : all.slice(0, Number(limit))
  return {
    status: 200,
    body: {
      allocation_requests: hosts.map((host) => request(host, amountsIn(text), version)),
      provider_summaries: Object.fromEntries(hosts.map((host) => [host.id, summary(host, version)])),
    },
  }
}

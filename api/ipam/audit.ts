/** Rows of a pool against what its guests and its wire really have. */
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { CloudError, Unavailable } from '../../core/errors.ts'
import { sightings, type Sightings } from '../../core/sighting.ts'
import { compare, driftKinds, type Drift, type Mend } from '../../ipam/compare.ts'
import type { Pool } from '../../ipam/pools.ts'
import { releaseOne } from '../../ipam/release.ts'
import { reserve } from '../../ipam/reserve.ts'
import { heldAddresses, hostsOfNetwork } from '../../ipam/sight.ts'
import { enqueue } from '../../jobs/enqueue.ts'
import { askAgent } from '../compute/ask-agent.ts'
import type { Call, Reply } from '../route.ts'
import { poolOf } from './pools.ts'

const driftShape = z.strictObject({
  kind: z.enum(driftKinds),
  address: z.string().nullable(),
  port_id: z.string().nullable(),
  host: z.string().nullable(),
  text: z.string(),
  remedy: z.string().describe('what mending does, or what there is to decide'),
  mendable: z.boolean().describe('whether it can be mended without harm to anybody'),
  mended: z.boolean(),
})
export const auditShape = z.strictObject({
  pool: z.string(),
  hosts: z.array(z.string()).describe('those that were looked at'),
  held: z.number().describe('addresses that are used or reserved'),
  asked: z.number().describe('addresses that the wire was asked for; IPv4 alone, the lowest 4,096 of a larger pool'),
  drifts: z.array(driftShape),
})

/** What a running change shows for a moment is no drift. */
const settleMs = 2500
/** The wire is asked thrice, and is given time to answer. */
const lookMs = 30_000

/** null when the host's agent does not answer. */
async function lookFrom(
  call: Call,
  host: string,
  { id, isProbing }: { id: string; isProbing: boolean },
): Promise<Sightings | null> {
  const path = `/networks/${id}/sightings?probe=${String(isProbing)}`
  try {
    return sightings.parse(JSON.parse(await askAgent(call.db, host, { path, what: 'A pool', timeoutMs: lookMs })))
  } catch (error) {
    if (error instanceof Unavailable) return null
    throw error
  }
}

interface Look {
  readonly hosts: readonly string[]
  readonly held: number
  readonly asked: number
  readonly drifts: readonly Drift[]
}

async function lookAt(call: Call, pool: Pool, isProbing: boolean): Promise<Look> {
  const hosts = await hostsOfNetwork(call.db, pool.id)
  const looks = new Map<string, Sightings | null>()
  await Promise.all(hosts.map(async (host) => looks.set(host, await lookFrom(call, host, { id: pool.id, isProbing }))))
  const held = await heldAddresses(call.db, pool.id)
  const asked = Math.max(0, ...[...looks.values()].map((look) => look?.asked ?? 0))
  return { hosts, held: held.length, asked, drifts: compare(held, looks, pool.subnets) }
}

function keyOf({ kind, address, portId, host, text }: Drift): string {
  return [kind, address, portId, host, text].join(' ')
}

/** What is there at two looks. */
async function settled(call: Call, pool: Pool, isProbing: boolean): Promise<Look> {
  const first = await lookAt(call, pool, isProbing)
  if (first.drifts.length === 0) return first
  await sleep(settleMs)
  const again = await lookAt(call, pool, isProbing)
  const before = new Set(first.drifts.map(keyOf))
  return { ...again, drifts: again.drifts.filter((drift) => before.has(keyOf(drift))) }
}

async function mend({ db, requestId }: Call, pool: Pool, wanted: Mend): Promise<void> {
  await db.transaction(async (trx) => {
    if (wanted.kind === 'release') await releaseOne(trx, wanted)
    else if (wanted.kind === 'rewire')
      await enqueue(trx, 'server.inject-network', { serverId: wanted.serverId, requestId }, wanted.host)
    else {
      const subnet = pool.subnets.find(({ id }) => id === wanted.subnetId)
      if (subnet) await reserve(trx, subnet, { address: wanted.address, name: null, note: wanted.note })
    }
  })
}

type View = z.output<typeof driftShape>

async function viewOf(
  call: Call,
  pool: Pool,
  { drift, isRepairing }: { drift: Drift; isRepairing: boolean },
): Promise<View> {
  const { kind, address, portId, host, text, remedy } = drift
  const view = { kind, address, port_id: portId, host, text, mendable: drift.mend !== null, mended: false }
  if (drift.mend === null || !isRepairing) return { ...view, remedy }
  try {
    await mend(call, pool, drift.mend)
    return { ...view, remedy, mended: true }
  } catch (error) {
    if (!(error instanceof CloudError)) throw error
    return { ...view, remedy: `not mended: ${error.message}` }
  }
}

async function audited(call: Call, isRepairing: boolean): Promise<Reply> {
  const pool = await poolOf(call)
  const isProbing = !['0', 'false', 'no'].includes(call.query.get('probe') ?? '')
  const { hosts, held, asked, drifts } = await settled(call, pool, isProbing)
  const views: View[] = []
  for (const drift of drifts) views.push(await viewOf(call, pool, { drift, isRepairing }))
  return { status: 200, body: { audit: { pool: pool.name, hosts: [...hosts], held, asked, drifts: views } } }
}

export async function audit(call: Call): Promise<Reply> {
  return await audited(call, false)
}

export async function repair(call: Call): Promise<Reply> {
  return await audited(call, true)
}

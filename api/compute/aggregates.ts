/** /os-aggregates. Source: nova/api/openstack/compute/aggregates.py, and the guards of nova/compute/api.py. */
import { z } from 'zod'
import { Conflict, Invalid, NotFound } from '../../core/errors.ts'
import {
  addHost,
  deleteAggregate,
  getAggregate,
  haveServers,
  insertAggregate,
  listAggregates,
  otherZonesOf,
  removeHost,
  renameAggregate,
  setAggregateMetadata,
  zoneKey,
  type Aggregate,
} from '../../db/aggregates.ts'
import type { Transaction } from '../../db/connect.ts'
import { wishImage } from '../../db/image-care.ts'
import { getImage } from '../../db/images.ts'
import { parseBody } from '../body.ts'
import { viewerOf } from '../caller.ts'
import type { Call, Reply } from '../route.ts'
import { fieldName, hostName, looseName, metadataOrNull, zoneName } from './fields.ts'

type Json = Readonly<Record<string, unknown>>

function time(date: Date): string {
  return date.toISOString().replace('Z', '000')
}

/** What the reply to a new one shows: it has neither hosts nor metadata yet. */
function reference(aggregate: Aggregate, version: number): Json {
  return {
    id: aggregate.id,
    name: aggregate.name,
    availability_zone: aggregate.metadata[zoneKey] ?? null,
    created_at: time(aggregate.createdAt),
    updated_at: aggregate.updatedAt === null ? null : time(aggregate.updatedAt),
    deleted: false,
    deleted_at: null,
    ...(version >= 41 ? { uuid: aggregate.uuid } : {}),
  }
}

function view(aggregate: Aggregate, version: number): Json {
  return { ...reference(aggregate, version), hosts: aggregate.hosts, metadata: aggregate.metadata }
}

/** @throws Invalid when the id is no number */
function idIn({ params }: Call): number {
  const { id = '' } = params
  if (!/^-?\d{1,9}$/.test(id)) throw new Invalid(`Invalid input received: id must be an integer`)
  return Number(id)
}

async function reply({ db, version }: Pick<Call, 'db' | 'version'>, id: number): Promise<Reply> {
  return { status: 200, body: { aggregate: view(await getAggregate(db, id), version) } }
}

export async function index({ db, version }: Call): Promise<Reply> {
  const aggregates = await listAggregates(db)
  return { status: 200, body: { aggregates: aggregates.map((aggregate) => view(aggregate, version)) } }
}

export async function show(call: Call): Promise<Reply> {
  return await reply(call, idIn(call))
}

const createBody = z.strictObject({
  aggregate: z.strictObject({ name: fieldName, availability_zone: zoneName.nullable().optional() }),
})

export async function create(call: Call): Promise<Reply> {
  const { name, availability_zone: zone } = parseBody(createBody, call.body).aggregate
  const id = await call.db.transaction((trx) => insertAggregate(trx, name, zone ?? null))
  return { status: 200, body: { aggregate: reference(await getAggregate(call.db, id), call.version) } }
}

/** A host is in one zone, and servers do not change theirs unasked. @throws Conflict or Invalid, as `refuse` makes it */
async function refuseZone(
  trx: Transaction,
  aggregate: Aggregate,
  zone: string | null,
  refuse: (reason: string) => Error,
): Promise<void> {
  if (zone === null || zone === '')
    throw refuse(`Aggregate ${aggregate.name} does not support empty named availability zone`)
  const others = (await otherZonesOf(trx, aggregate.id, aggregate.hosts)).filter((other) => other !== zone)
  if (others.length > 0)
    throw refuse(`One or more hosts already in availability zone(s) [${others.map((name) => `'${name}'`).join(', ')}]`)
  if (aggregate.metadata[zoneKey] !== zone && (await haveServers(trx, aggregate.hosts)))
    throw refuse('One or more hosts contain instances in this zone')
}

function refusal(verb: string, { id }: Aggregate) {
  return (reason: string): Error => new Invalid(`Cannot ${verb} aggregate ${id}. Reason: ${reason}.`)
}

const updateBody = z.strictObject({
  aggregate: z
    .strictObject({ name: looseName.optional(), availability_zone: zoneName.nullable().optional() })
    .refine((wanted) => Object.keys(wanted).length > 0, { error: 'name or availability_zone is a required property' }),
})

export async function update(call: Call): Promise<Reply> {
  const { name, availability_zone: zone } = parseBody(updateBody, call.body).aggregate
  const id = idIn(call)
  await call.db.transaction(async (trx) => {
    const aggregate = await getAggregate(trx, id)
    if (name !== undefined) await renameAggregate(trx, id, name)
    if (zone === undefined) return
    await refuseZone(trx, aggregate, zone, refusal('update', aggregate))
    await setAggregateMetadata(trx, id, { [zoneKey]: zone })
  })
  return await reply(call, id)
}

export async function remove(call: Call): Promise<Reply> {
  await call.db.transaction(async (trx) => {
    const aggregate = await getAggregate(trx, idIn(call))
    if (aggregate.hosts.length > 0) throw refusal('delete', aggregate)('Host aggregate is not empty')
    await deleteAggregate(trx, aggregate.id)
  })
  return { status: 200 }
}

async function add(call: Call, host: string): Promise<void> {
  await call.db.transaction(async (trx) => {
    const aggregate = await getAggregate(trx, idIn(call))
    const zone = aggregate.metadata[zoneKey]
    if (zone !== undefined) {
      const others = (await otherZonesOf(trx, aggregate.id, [host])).filter((other) => other !== zone)
      if (others.length > 0)
        throw new Conflict(
          `Cannot add host to aggregate ${aggregate.id}. Reason: One or more hosts already in availability zone(s) ` +
            `[${others.map((name) => `'${name}'`).join(', ')}].`,
        )
    }
    await addHost(trx, aggregate.id, host)
  })
}

/** Nova's sentence is not the usual one of what is not found. */
class NotInAggregate extends NotFound {
  constructor(host: string, id: number) {
    super('Host', host)
    this.message = `Cannot remove host ${host} in aggregate ${id}`
  }
}

async function drop(call: Call, host: string): Promise<void> {
  const id = idIn(call)
  await call.db.transaction(async (trx) => {
    await getAggregate(trx, id)
    if (!(await removeHost(trx, id, host))) throw new NotInAggregate(host, id)
  })
}

async function describe(call: Call, items: Readonly<Record<string, string | null>>): Promise<void> {
  await call.db.transaction(async (trx) => {
    const aggregate = await getAggregate(trx, idIn(call))
    const zone = items[zoneKey]
    if (zone !== undefined) await refuseZone(trx, aggregate, zone, refusal('update metadata of', aggregate))
    await setAggregateMetadata(trx, aggregate.id, items)
  })
}

const host = z.strictObject({ host: hostName })
const actionBody = z.union([
  z.strictObject({ add_host: host }),
  z.strictObject({ remove_host: host }),
  z.strictObject({ set_metadata: z.strictObject({ metadata: metadataOrNull }) }),
])

/** POST /os-aggregates/{id}/action */
export async function act(call: Call): Promise<Reply> {
  const body = parseBody(actionBody, call.body)
  if ('add_host' in body) await add(call, body.add_host.host)
  else if ('remove_host' in body) await drop(call, body.remove_host.host)
  else await describe(call, body.set_metadata.metadata)
  return await reply(call, idIn(call))
}

const cacheBody = z.strictObject({ cache: z.array(z.strictObject({ id: z.uuid() })).min(1) })

/** POST /os-aggregates/{id}/images: each host of the aggregate brings them, and keeps them for servers to come. */
export async function cacheImages(call: Call): Promise<Reply> {
  const { db, caller } = call
  const { hosts } = await getAggregate(db, idIn(call))
  const { cache } = parseBody(cacheBody, call.body)
  const images = await Promise.all(cache.map(({ id }) => getImage(db, id, viewerOf(caller))))
  if (hosts.length > 0) for (const { id } of images) await wishImage(db, id, hosts)
  return { status: 202 }
}

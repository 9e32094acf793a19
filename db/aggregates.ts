/** Groups of hosts, with metadata. The item `availability_zone` puts the hosts of an aggregate into a zone. */
import { randomUUID } from 'node:crypto'
import { Conflict, NotFound } from '../core/errors.ts'
import type { Db, Transaction } from './connect.ts'
import type { AggregateRow } from './tables.ts'

/** The zone of hosts that no aggregate puts into another. */
export const defaultZone = 'nova'

/** The item of metadata that names a zone. */
export const zoneKey = 'availability_zone'

/** An aggregate with the names of its hosts. */
export interface Aggregate extends AggregateRow {
  readonly hosts: readonly string[]
}

const withHosts = `aggregates.*,
  array(select h.host from aggregate_hosts h where h.aggregate_id = aggregates.id order by h.host) as hosts`

export async function listAggregates(db: Db): Promise<readonly Aggregate[]> {
  return await db('aggregates').select<Aggregate[]>(db.raw(withHosts)).orderBy('id')
}

/** @throws NotFound */
export async function getAggregate(db: Db, id: number): Promise<Aggregate> {
  const row = await db('aggregates').where({ id }).first<Aggregate | undefined>(db.raw(withHosts))
  if (!row) throw new NotFound('Aggregate', String(id))
  return row
}

/** @throws Conflict when the name is taken */
export async function insertAggregate(trx: Transaction, name: string, zone: string | null): Promise<number> {
  const [row] = await trx('aggregates')
    .insert({ uuid: randomUUID(), name, metadata: zone === null ? {} : { [zoneKey]: zone } })
    .onConflict('name')
    .ignore()
    .returning('id')
  if (!row) throw new Conflict(`Aggregate ${name} already exists.`)
  return row.id
}

/** @throws Conflict when the name is taken by another */
export async function renameAggregate(trx: Transaction, id: number, name: string): Promise<void> {
  const other = await trx('aggregates').where({ name }).whereNot({ id }).first('id')
  if (other) throw new Conflict(`Aggregate ${name} already exists.`)
  await trx('aggregates').where({ id }).update({ name, updatedAt: trx.fn.now() })
}

/** Sets items, and takes away those that are null; then the hosts are in the zones that the aggregates name. */
export async function setAggregateMetadata(
  trx: Transaction,
  id: number,
  items: Readonly<Record<string, string | null>>,
): Promise<void> {
  const gone = Object.keys(items).filter((key) => items[key] === null)
  const set = Object.fromEntries(Object.entries(items).filter(([, value]) => value !== null))
  await trx('aggregates')
    .where({ id })
    .update({
      metadata: trx.raw('(metadata || ?::jsonb) - ?::text[]', [JSON.stringify(set), gone]),
      updatedAt: trx.fn.now(),
    })
  await settleZones(trx)
}

export async function deleteAggregate(trx: Transaction, id: number): Promise<void> {
  await trx('aggregates').where({ id }).delete()
}

/** @throws Conflict when the host is in the aggregate; NotFound when there is no such host */
export async function addHost(trx: Transaction, aggregateId: number, host: string): Promise<void> {
  if (!(await trx('hosts').where({ name: host }).first('name'))) throw new NotFound('Compute host', host)
  const added = await trx('aggregate_hosts').insert({ aggregateId, host }).onConflict().ignore().returning('host')
  if (added.length === 0) throw new Conflict(`Aggregate ${aggregateId} already has host ${host}.`)
  await settleZones(trx)
}

/** @returns false when the host is not in the aggregate */
export async function removeHost(trx: Transaction, aggregateId: number, host: string): Promise<boolean> {
  const removed = await trx('aggregate_hosts').where({ aggregateId, host }).delete()
  await settleZones(trx)
  return removed > 0
}

/** The zones that other aggregates put these hosts into. */
export async function otherZonesOf(trx: Transaction, id: number, hosts: readonly string[]): Promise<readonly string[]> {
  const { rows } = await trx.raw<{ rows: { zone: string }[] }>(
    `select distinct a.metadata->>:zoneKey as zone from aggregates a join aggregate_hosts h on h.aggregate_id = a.id
     where a.id <> :id and h.host = any(:hosts) and a.metadata->>:zoneKey is not null order by zone`,
    { id, zoneKey, hosts: [...hosts] },
  )
  return rows.map(({ zone }) => zone)
}

export async function haveServers(trx: Transaction, hosts: readonly string[]): Promise<boolean> {
  return (
    (await trx('servers')
      .whereIn('host', [...hosts])
      .whereNull('deletedAt')
      .first('id')) !== undefined
  )
}

/** Every host is in the zone that its aggregates name, and every server in that of its host. */
async function settleZones(trx: Transaction): Promise<void> {
  await trx.raw(
    `with told as (
       select h.name, coalesce(min(a.metadata->>:zoneKey), :defaultZone) as zone from hosts h
       left join aggregate_hosts m on m.host = h.name left join aggregates a on a.id = m.aggregate_id group by h.name
     ), moved as (
       update hosts set zone = told.zone from told where told.name = hosts.name and hosts.zone <> told.zone
       returning hosts.name, told.zone
     )
     update servers set availability_zone = moved.zone from moved where servers.host = moved.name and servers.deleted_at is null`,
    { zoneKey, defaultZone },
  )
}

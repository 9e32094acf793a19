/** The services of the cloud, their endpoints and the regions these lie in. */
import { Conflict } from '../../core/errors.ts'
import type { Db } from '../connect.ts'
import type { EndpointRow, RegionRow, ServiceRow } from '../tables.ts'
import { namedFields, narrow, one, unique, type Filter, type Change } from './filter.ts'

export async function listServices(db: Db, filter: Filter): Promise<readonly ServiceRow[]> {
  return await narrow(db('services').select('*').orderBy('createdAt').orderBy('id'), filter)
}

export async function findService(db: Db, id: string): Promise<ServiceRow | null> {
  return (await db('services').where({ id }).first()) ?? null
}

export async function insertService(db: Db, service: Omit<ServiceRow, 'createdAt'>): Promise<void> {
  await db('services').insert(service)
}

export async function updateService(db: Db, id: string, change: Change<ServiceRow>): Promise<ServiceRow | null> {
  return one(
    await db('services')
      .where({ id })
      .update({ id, ...namedFields<ServiceRow>(change) })
      .returning('*'),
  )
}

/** With its endpoints. @returns false when there is none */
export async function deleteService(db: Db, id: string): Promise<boolean> {
  return (await db('services').where({ id }).delete()) > 0
}

export async function listEndpoints(db: Db, filter: Filter): Promise<readonly EndpointRow[]> {
  return await narrow(db('endpoints').select('*').orderBy('createdAt').orderBy('id'), filter)
}

export async function findEndpoint(db: Db, id: string): Promise<EndpointRow | null> {
  return (await db('endpoints').where({ id }).first()) ?? null
}

export async function insertEndpoint(db: Db, endpoint: Omit<EndpointRow, 'createdAt'>): Promise<void> {
  await db('endpoints').insert(endpoint)
}

export async function updateEndpoint(db: Db, id: string, change: Change<EndpointRow>): Promise<EndpointRow | null> {
  return one(
    await db('endpoints')
      .where({ id })
      .update({ id, ...namedFields<EndpointRow>(change) })
      .returning('*'),
  )
}

/** @returns false when there is none */
export async function deleteEndpoint(db: Db, id: string): Promise<boolean> {
  return (await db('endpoints').where({ id }).delete()) > 0
}

export async function listRegions(db: Db, filter: Filter): Promise<readonly RegionRow[]> {
  return await narrow(db('regions').select('*').orderBy('id'), filter)
}

export async function findRegion(db: Db, id: string): Promise<RegionRow | null> {
  return (await db('regions').where({ id }).first()) ?? null
}

/** @throws Conflict when there is one of that id */
export async function insertRegion(db: Db, region: Omit<RegionRow, 'createdAt'>): Promise<void> {
  await unique('region', region.id, db('regions').insert(region))
}

export async function updateRegion(db: Db, id: string, change: Change<RegionRow>): Promise<RegionRow | null> {
  return one(
    await db('regions')
      .where({ id })
      .update({ id, ...namedFields<RegionRow>(change) })
      .returning('*'),
  )
}

/** @returns false when there is none; @throws Conflict while endpoints or regions lie in it */
export async function deleteRegion(db: Db, id: string): Promise<boolean> {
  try {
    return (await db('regions').where({ id }).delete()) > 0
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error) || error.code !== '23503') throw error
    throw new Conflict(`Region ${id} has endpoints or regions in it.`, { cause: error })
  }
}

/** An enabled endpoint with its enabled service: what the catalogue of a token is made of. */
export interface CatalogueEntry {
  readonly serviceId: string
  readonly serviceType: string
  readonly serviceName: string
  readonly endpointId: string | null
  readonly interface: string
  readonly regionId: string | null
  readonly url: string
}

export async function listCatalogue(db: Db): Promise<readonly CatalogueEntry[]> {
  const { rows } = await db.raw<{ rows: CatalogueEntry[] }>(
    `select s.id as service_id, s.type as service_type, s.name as service_name,
            e.id as endpoint_id, e.interface, e.region_id, e.url
     from services s left join endpoints e on e.service_id = s.id and e.enabled
     where s.enabled order by s.created_at, s.id, e.region_id, array_position(array['public', 'internal', 'admin'], e.interface), e.id`,
  )
  return rows
}

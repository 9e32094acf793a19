import { z } from 'zod'
import { Invalid } from '../../core/errors.ts'
import * as rows from '../../db/identity/catalogue.ts'
import type { RegionRow } from '../../db/tables.ts'
import { parseBody } from '../body.ts'
import type { Call, Reply } from '../route.ts'
import { filterOf, found, listReply, self, type Json } from './answer.ts'
import { descriptionField, newId } from './bodies.ts'

function view(call: Call, { id, description, parentRegionId }: RegionRow): Json {
  return { id, description, parent_region_id: parentRegionId, links: self(call, `regions/${id}`) }
}

export async function index(call: Call): Promise<Reply> {
  const all = await rows.listRegions(call.db, filterOf(call, ['parent_region_id']))
  return listReply(
    call,
    'regions',
    all.map((row) => view(call, row)),
  )
}

async function find({ db, params: { id = '' } }: Call): Promise<RegionRow> {
  return found(await rows.findRegion(db, id), 'region', id)
}

export async function show(call: Call): Promise<Reply> {
  return { status: 200, body: { region: view(call, await find(call)) } }
}

const fields = { description: descriptionField, parent_region_id: z.string().max(255).nullable().optional() }
const newRegion = z.object({ region: z.object({ ...fields, id: z.string().max(255).nullable().optional() }) })
const changedRegion = z.object({ region: z.object(fields) })

/** @throws Invalid when it is not there, or lies in the region itself */
async function checkParent({ db }: Call, id: string, parentId: string | null | undefined): Promise<void> {
  for (let above = parentId ?? null; above !== null;) {
    const region: RegionRow | null = await rows.findRegion(db, above)
    if (!region) throw new Invalid(`Could not find region: ${above}.`)
    if (region.id === id) throw new Invalid(`Region ${id} cannot lie in itself.`)
    above = region.parentRegionId
  }
}

export async function create(call: Call): Promise<Reply> {
  const { region } = parseBody(newRegion, call.body)
  const id = region.id === null || region.id === undefined || region.id === '' ? newId() : region.id
  await checkParent(call, id, region.parent_region_id)
  const row = { id, description: region.description ?? '', parentRegionId: region.parent_region_id ?? null }
  await rows.insertRegion(call.db, row)
  return { status: 201, body: { region: view(call, found(await rows.findRegion(call.db, id), 'region', id)) } }
}

export async function update(call: Call): Promise<Reply> {
  const { id } = await find(call)
  const { description, parent_region_id: parentRegionId } = parseBody(changedRegion, call.body).region
  await checkParent(call, id, parentRegionId)
  const change = { description: description === null ? '' : description, parentRegionId }
  return {
    status: 200,
    body: { region: view(call, found(await rows.updateRegion(call.db, id, change), 'region', id)) },
  }
}

export async function remove(call: Call): Promise<Reply> {
  const { id } = await find(call)
  await rows.deleteRegion(call.db, id)
  return { status: 204 }
}

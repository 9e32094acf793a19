/** What administrators do with flavors. Source: nova/api/openstack/compute/flavors.py, flavors_extraspecs.py, flavor_access.py. */
import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { Conflict, Invalid, NotFound } from '../../core/errors.ts'
import {
  deleteFlavor,
  describeFlavor,
  getFlavor,
  grant,
  insertFlavor,
  mergeExtraSpecs,
  projectsOf,
  removeExtraSpec,
  revoke,
} from '../../db/flavors.ts'
import { parseBody } from '../body.ts'
import type { Call, Reply } from '../route.ts'
import { checkExtraSpecs } from './extra-specs.ts'
import { bool, fieldName, whole } from './fields.ts'
import { refuseKeys } from './keys.ts'
import { refuseUnknownProject } from './project.ts'
import { flavorView } from './views/flavor.ts'

const idForm = /^(?! )[a-zA-Z0-9. _-]+(?<! )$/
const description = z.string().max(65_535).nullable()
/** The largest number that a column of type real keeps. */
const largestReal = 3.40282e38

const createBody = z.strictObject({
  flavor: z.strictObject({
    name: fieldName,
    id: z
      .union([z.string().min(1).max(255).regex(idForm), z.number().transform(String)])
      .nullable()
      .optional(),
    ram: whole(1),
    vcpus: whole(1),
    disk: whole(0),
    'OS-FLV-EXT-DATA:ephemeral': whole(0).default(0),
    swap: whole(0).default(0),
    rxtx_factor: z
      .union([
        z.number(),
        z
          .string()
          .regex(/^[0-9]+(\.[0-9]+)?$/)
          .transform(Number),
      ])
      .pipe(z.number().positive().max(largestReal))
      .default(1),
    'os-flavor-access:is_public': bool.default(true),
    description: description.optional(),
  }),
})

export async function create(call: Call): Promise<Reply> {
  const { flavor: wanted } = parseBody(createBody, call.body)
  refuseKeys(wanted, { description: { since: '2.55' } }, { version: call.version, field: 'flavor' })
  const row = await call.db.transaction((trx) =>
    insertFlavor(trx, {
      id: wanted.id ?? randomUUID(),
      name: wanted.name,
      vcpus: wanted.vcpus,
      memoryMiB: wanted.ram,
      diskGiB: wanted.disk,
      ephemeralGiB: wanted['OS-FLV-EXT-DATA:ephemeral'],
      swapMiB: wanted.swap,
      rxtxFactor: wanted.rxtx_factor,
      isPublic: wanted['os-flavor-access:is_public'],
      description: wanted.description ?? null,
      extraSpecs: {},
    }),
  )
  return { status: 200, body: { flavor: flavorView(row, call) } }
}

const updateBody = z.strictObject({ flavor: z.strictObject({ description }) })

export async function update(call: Call): Promise<Reply> {
  const { flavor: wanted } = parseBody(updateBody, call.body)
  const row = await call.db.transaction((trx) => describeFlavor(trx, call.params.id ?? '', wanted.description))
  return { status: 200, body: { flavor: flavorView(row, call) } }
}

export async function remove({ db, params }: Call): Promise<Reply> {
  await db.transaction((trx) => deleteFlavor(trx, params.id ?? ''))
  return { status: 202 }
}

const specName = z.string().regex(/^[a-zA-Z0-9-_:. ]{1,255}$/)
const specValue = z.union([z.string().max(255), z.number().transform(String).pipe(z.string().max(255))])
const specsBody = z.strictObject({ extra_specs: z.record(specName, specValue) })
const specBody = z.record(specName, specValue)

export async function createExtraSpecs(call: Call): Promise<Reply> {
  const { extra_specs: specs } = parseBody(specsBody, call.body)
  checkExtraSpecs(specs, call.version)
  await call.db.transaction((trx) => mergeExtraSpecs(trx, call.params.id ?? '', specs))
  return { status: 200, body: { extra_specs: specs } }
}

export async function updateExtraSpec(call: Call): Promise<Reply> {
  const { id = '', key = '' } = call.params
  const specs = parseBody(specBody, call.body)
  const names = Object.keys(specs)
  if (names.length !== 1) throw new Invalid(`${JSON.stringify(specs)} does not have exactly one property`)
  if (names[0] !== key) throw new Invalid('Request body and URI mismatch')
  checkExtraSpecs(specs, call.version)
  await call.db.transaction((trx) => mergeExtraSpecs(trx, id, specs))
  return { status: 200, body: specs }
}

/** Nova's sentence is not the usual one of what is not found. */
export class NoExtraSpec extends NotFound {
  constructor(flavorId: string, key: string) {
    super('Extra spec', key)
    this.message = `Flavor ${flavorId} has no extra specs with key ${key}.`
  }
}

export async function removeExtraSpecOf({ db, params }: Call): Promise<Reply> {
  const { id = '', key = '' } = params
  await getFlavor(db, id)
  if (!(await db.transaction((trx) => removeExtraSpec(trx, id, key)))) throw new NoExtraSpec(id, key)
  return { status: 200 }
}

async function accessTo({ db }: Call, flavorId: string): Promise<Reply> {
  const projects = await projectsOf(db, flavorId)
  const flavor_access = projects.map((tenant_id) => ({ flavor_id: flavorId, tenant_id }))
  return { status: 200, body: { flavor_access } }
}

export async function access(call: Call): Promise<Reply> {
  const flavor = await getFlavor(call.db, call.params.id ?? '')
  if (flavor.isPublic) throw new NotFound('Access list of public flavor', flavor.id)
  return await accessTo(call, flavor.id)
}

const tenant = z.strictObject({ tenant: z.string().min(1).max(255) })
const actionBody = z.union([
  z.strictObject({ addTenantAccess: tenant }),
  z.strictObject({ removeTenantAccess: tenant }),
])

async function addAccess(call: Call, projectId: string): Promise<void> {
  await refuseUnknownProject(call, projectId)
  const flavor = await getFlavor(call.db, call.params.id ?? '')
  if (flavor.isPublic && call.version >= 7) throw new Conflict('Can not add access to a public flavor.')
  if (!(await call.db.transaction((trx) => grant(trx, flavor.id, projectId))))
    throw new Conflict(`Flavor access already exists for flavor ${flavor.id} and project ${projectId} combination.`)
}

async function removeAccess(call: Call, projectId: string): Promise<void> {
  const flavor = await getFlavor(call.db, call.params.id ?? '')
  if (!(await call.db.transaction((trx) => revoke(trx, flavor.id, projectId))))
    throw new NotFound('Flavor access for', `${flavor.id} / ${projectId} combination`)
}

/** POST /flavors/{id}/action */
export async function act(call: Call): Promise<Reply> {
  const body = parseBody(actionBody, call.body)
  if ('addTenantAccess' in body) await addAccess(call, body.addTenantAccess.tenant)
  else await removeAccess(call, body.removeTenantAccess.tenant)
  return await accessTo(call, call.params.id ?? '')
}

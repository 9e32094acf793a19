import { z } from 'zod'
import { Invalid, NotFound } from '../../core/errors.ts'
import { flavorSortKeys, getFlavor, isGranted, listFlavors, type FlavorSortKey } from '../../db/flavors.ts'
import type { FlavorRow } from '../../db/tables.ts'
import { parseQuery } from '../body.ts'
import { linksField, nextHref, pageOf } from '../page.ts'
import { isAllowed } from '../policy.ts'
import type { Call, Reply } from '../route.ts'
import { NoExtraSpec } from './flavor-changes.ts'
import { refuseParameters } from './keys.ts'
import { flavorReference, flavorView } from './views/flavor.ts'

const yes = ['1', 't', 'true', 'on', 'y', 'yes']
const no = ['0', 'f', 'false', 'off', 'n', 'no']

const sortKeys: readonly string[] = Object.keys(flavorSortKeys)
/** Nova sorts by these too; here they are the same for all flavors, or not sorted by. */
const constantKeys: readonly string[] = ['description', 'disabled', 'updated_at', 'vcpu_weight']
const parameters = ['limit', 'marker', 'is_public', 'minRam', 'minDisk', 'sort_key', 'sort_dir']

function isSortKey(key: string): key is FlavorSortKey {
  return sortKeys.includes(key)
}

const query = z.object({
  sort_key: z
    .string()
    .refine((key) => isSortKey(key) || constantKeys.includes(key), { error: 'is not one of the keys to sort by' })
    .transform((key) => (isSortKey(key) ? key : 'flavorid'))
    .default('flavorid'),
  sort_dir: z.enum(['asc', 'desc']).default('asc'),
  is_public: z.string().default('true'),
  minRam: z.string().regex(/^\d+$/).default('0').transform(Number),
  minDisk: z.string().regex(/^\d+$/).default('0').transform(Number),
})

/** Others than administrators see public flavors and those granted to them, whatever they ask for. */
function wantedPublic({ caller }: Call, text: string): boolean | null {
  const word = text.toLowerCase()
  if (!isAllowed(caller, 'os_compute_api:flavors:private')) return true
  if (word === 'none') return null
  if (yes.includes(word)) return true
  if (no.includes(word)) return false
  throw new Invalid(`Invalid is_public filter [${text}]`)
}

async function list(call: Call, view: (flavor: FlavorRow) => unknown): Promise<Reply> {
  refuseParameters(call.query, parameters, call.version)
  const { is_public, minRam, minDisk, sort_key, sort_dir } = parseQuery(query, call.query)
  const page = pageOf(call.query)
  if (page.marker !== null)
    await getFlavor(call.db, page.marker).catch((error: unknown) => {
      throw error instanceof NotFound
        ? new Invalid(`marker [${String(page.marker)}] not found`, { cause: error })
        : error
    })
  const flavors = await listFlavors(call.db, {
    isPublic: wantedPublic(call, is_public),
    projectId: call.caller.projectId,
    sortBy: sort_key,
    direction: sort_dir,
    minMemoryMiB: minRam,
    minDiskGiB: minDisk,
    ...page,
  })
  const href = nextHref(
    call,
    page,
    flavors.map(({ id }) => id),
  )
  return { status: 200, body: { flavors: flavors.map(view), ...linksField('flavors', href) } }
}

export async function index(call: Call): Promise<Reply> {
  return await list(call, (flavor) => flavorReference(flavor, call))
}

export async function detail(call: Call): Promise<Reply> {
  return await list(call, (flavor) => flavorView(flavor, call))
}

/** A flavor that the caller may use. @throws NotFound */
export async function usableFlavor({ db, caller }: Pick<Call, 'db' | 'caller'>, id: string): Promise<FlavorRow> {
  const flavor = await getFlavor(db, id)
  if (flavor.isPublic || isAllowed(caller, 'os_compute_api:flavors:private')) return flavor
  if (caller.projectId !== null && (await isGranted(db, id, caller.projectId))) return flavor
  throw new NotFound('Flavor', id)
}

export async function show(call: Call): Promise<Reply> {
  const flavor = await usableFlavor(call, call.params.id ?? '')
  return { status: 200, body: { flavor: flavorView(flavor, call) } }
}

export async function extraSpecs(call: Call): Promise<Reply> {
  const flavor = await usableFlavor(call, call.params.id ?? '')
  return { status: 200, body: { extra_specs: flavor.extraSpecs } }
}

export async function extraSpec(call: Call): Promise<Reply> {
  const { id = '', key = '' } = call.params
  const { extraSpecs: specs } = await usableFlavor(call, id)
  const value = Object.hasOwn(specs, key) ? specs[key] : undefined
  if (value === undefined) throw new NoExtraSpec(id, key)
  return { status: 200, body: { [key]: value } }
}

/** PATCH /v2/images/{id}: a JSON patch of the flat image. Source: glance's image API v2.1 patches, RFC 6902. */
import { z } from 'zod'
import { Conflict, Forbidden, Invalid } from '../../core/errors.ts'
import { lockImage } from '../../db/images.ts'
import { updateImage } from '../../db/new-images.ts'
import type { ImageRow } from '../../db/tables.ts'
import { parseBody } from '../body.ts'
import { HttpFault } from '../faults.ts'
import type { Call, Reply } from '../route.ts'
import { checkProperty, checkVisibility, columnsOf, isSettable, property, settable, type Wanted } from './fields.ts'
import { ownImageOf } from './find.ts'
import { imageView } from './view.ts'

const step = z.union([
  z.object({ op: z.enum(['add', 'replace']), path: z.string(), value: z.unknown() }),
  z.object({ op: z.literal('remove'), path: z.string() }),
])
const body = z.array(step)
type Step = z.output<typeof step>

interface State {
  readonly fields: Wanted
  readonly properties: Readonly<Record<string, string>>
}

/** The field or property that a JSON pointer names. @throws Invalid when it points deeper */
function nameIn(path: string): string {
  const [, name] = /^\/([^/]+)$/.exec(path) ?? []
  if (name === undefined) throw new Invalid(`Invalid JSON pointer for this resource: '${path}'`)
  return name.replaceAll('~1', '/').replaceAll('~0', '~')
}

/** Of the tags one may be added: '/tags/-' is the end of the list. */
function withTag({ fields, properties }: State, tags: readonly string[], value: unknown): State {
  const tag = parseBody(settable.tags, [value])
  return { properties, fields: { ...fields, tags: [...(fields.tags ?? tags), ...tag] } }
}

function withField({ fields, properties }: State, name: keyof Wanted, value: unknown): State {
  const changed = parseBody(z.strictObject({ [name]: settable[name] }), { [name]: value })
  return { properties, fields: { ...fields, ...changed } }
}

function without({ fields, properties }: State, name: string): State {
  if (!Object.hasOwn(properties, name)) throw new Conflict(`Property ${name} does not exist.`)
  return { fields, properties: Object.fromEntries(Object.entries(properties).filter(([one]) => one !== name)) }
}

/** @throws Forbidden for a field that is not the user's to change; Conflict for a property that is not there */
function applied(state: State, change: Step, image: ImageRow): State {
  if (change.op === 'add' && /^\/tags\/(-|\d+)$/.test(change.path)) return withTag(state, image.tags, change.value)
  const name = nameIn(change.path)
  if (change.op === 'remove') {
    if (isSettable(name)) throw new Forbidden(`Property ${name} may not be removed.`)
    checkProperty(name)
    return without(state, name)
  }
  if (isSettable(name)) return withField(state, name, change.value)
  checkProperty(name)
  if (change.op === 'replace' && !Object.hasOwn(state.properties, name))
    throw new Conflict(`Property ${name} does not exist.`)
  const { [name]: value } = parseBody(z.strictObject({ [name]: property }), { [name]: change.value })
  return { ...state, properties: { ...state.properties, [name]: value ?? '' } }
}

export async function update(call: Call): Promise<Reply> {
  if (!/^application\/openstack-images-v2\.1-json-patch\b/.test(call.header('content-type') ?? ''))
    throw new HttpFault(415, 'A patch is application/openstack-images-v2.1-json-patch.')
  const steps = parseBody(body, call.body)
  const { id } = await ownImageOf(call, 'modify')
  const image = await call.db.transaction(async (trx) => {
    const present = await lockImage(trx, id)
    const start: State = { fields: {}, properties: present.properties }
    const { fields, properties } = steps.reduce((state, change) => applied(state, change, present), start)
    checkVisibility(call, fields)
    return await updateImage(trx, id, { ...columnsOf(fields), properties })
  })
  return { status: 200, body: imageView(image) }
}

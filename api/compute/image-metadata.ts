/** /images/{id}/metadata, until 2.39: the properties of Glance's image. Source: nova/api/openstack/compute/image_metadata.py. */
import { z } from 'zod'
import { Invalid, OverQuota } from '../../core/errors.ts'
import { lockImage } from '../../db/images.ts'
import { updateImage } from '../../db/new-images.ts'
import { quotasOf } from '../../db/quotas.ts'
import { parseBody } from '../body.ts'
import { projectOf } from '../caller.ts'
import { imageOf, ownImageOf } from '../image/find.ts'
import type { Call, Reply } from '../route.ts'
import { metadata } from './servers/create-body.ts'
import { itemOf } from './servers/metadata.ts'

type Items = Readonly<Record<string, string>>

const many = z.strictObject({ metadata })
const one = z.strictObject({ meta: metadata })

/** @throws OverQuota, NotFound, Forbidden for another project's image */
async function change(call: Call, make: (present: Items) => Items): Promise<Items> {
  const { id } = await ownImageOf(call, 'modify')
  return await call.db.transaction(async (trx) => {
    const items = make((await lockImage(trx, id)).properties)
    const { metadata_items: most } = await quotasOf(trx, projectOf(call.caller))
    if (most >= 0 && Object.keys(items).length > most) throw new OverQuota('Image metadata limit exceeded')
    return (await updateImage(trx, id, { properties: items })).properties
  })
}

export async function index(call: Call): Promise<Reply> {
  return { status: 200, body: { metadata: (await imageOf(call)).properties } }
}

export async function show(call: Call): Promise<Reply> {
  const { key = '' } = call.params
  return { status: 200, body: { meta: { [key]: itemOf((await imageOf(call)).properties, key) } } }
}

export async function merge(call: Call): Promise<Reply> {
  const { metadata: items } = parseBody(many, call.body)
  return { status: 200, body: { metadata: await change(call, (present) => ({ ...present, ...items })) } }
}

export async function replace(call: Call): Promise<Reply> {
  const { metadata: items } = parseBody(many, call.body)
  return { status: 200, body: { metadata: await change(call, () => items) } }
}

export async function put(call: Call): Promise<Reply> {
  const { key = '' } = call.params
  const { meta } = parseBody(one, call.body)
  const [name, ...others] = Object.keys(meta)
  if (others.length > 0) throw new Invalid('Request body contains too many items')
  if (name !== key) throw new Invalid('Request body and URI mismatch')
  await change(call, (present) => ({ ...present, ...meta }))
  return { status: 200, body: { meta } }
}

export async function remove(call: Call): Promise<Reply> {
  const { key = '' } = call.params
  await change(call, (present) => {
    itemOf(present, key)
    return Object.fromEntries(Object.entries(present).filter(([name]) => name !== key))
  })
  return { status: 204 }
}

/** Schemas, which Glance's own client reads before it sends an image; and ways to bring bytes beside the upload. */
import { z } from 'zod'
import type { Reply } from '../route.ts'
import { property, settable } from './fields.ts'
import { importMethod } from './file.ts'

const time = z.iso.datetime()
const image = z
  .object({
    ...settable,
    id: z.uuid(),
    owner: z.string().nullable(),
    status: z.string(),
    size: z.int().nullable(),
    virtual_size: z.int().nullable(),
    checksum: z.string().nullable(),
    os_hash_algo: z.string().nullable(),
    os_hash_value: z.string().nullable(),
    created_at: time,
    updated_at: time,
    self: z.string(),
    file: z.string(),
    schema: z.string(),
  })
  .catchall(property)
const member = z.object({
  image_id: z.string(),
  member_id: z.string(),
  status: z.enum(['pending', 'accepted', 'rejected']),
  created_at: time,
  updated_at: time,
  schema: z.string(),
})

function schema(name: string, shape: z.ZodType): Reply {
  const { properties, additionalProperties } = z.toJSONSchema(shape)
  return { status: 200, body: { name, properties, additionalProperties } }
}

export function imageSchema(): Reply {
  return schema('image', image)
}
export function imagesSchema(): Reply {
  return schema('images', z.object({ images: z.array(image), first: z.string(), next: z.string(), schema: z.string() }))
}
export function memberSchema(): Reply {
  return schema('member', member)
}
export function membersSchema(): Reply {
  return schema('members', z.object({ members: z.array(member), schema: z.string() }))
}

export function importMethods(): Reply {
  const description = 'Import methods available.'
  return { status: 200, body: { 'import-methods': { description, type: 'array', value: [importMethod] } } }
}

/** Image v2. Source: Glance's API reference. */
import { z } from 'zod'
import type { Contract, Contracts } from './contract.ts'
import { nothing } from './shape.ts'
import { seconds, text, whole } from './words.ts'

const visibility = z.enum(['public', 'private', 'shared', 'community'])
const hex = (digits: number): z.ZodType => z.string().regex(new RegExp(`^[0-9a-f]{${digits}}$`))
/** Flat: what is no field of Glance's is a property, and text. */
const image = z
  .object({
    id: z.uuid(),
    name: text.nullable(),
    status: z.enum([
      'queued',
      'saving',
      'uploading',
      'importing',
      'active',
      'deactivated',
      'killed',
      'deleted',
      'pending_delete',
    ]),
    visibility,
    owner: text.nullable(),
    size: whole.nullable(),
    virtual_size: whole.nullable(),
    min_ram: whole,
    min_disk: whole,
    protected: z.boolean(),
    tags: z.array(text),
    container_format: text.nullable(),
    disk_format: text.nullable(),
    checksum: z.union([hex(32), z.null()]),
    os_hash_algo: z.enum(['sha256', 'sha512']).nullable(),
    os_hash_value: z.union([hex(64), hex(128), z.null()]),
    os_hidden: z.boolean(),
    created_at: seconds,
    updated_at: seconds,
    self: z.string().regex(/^\/v2\/images\/[0-9a-f-]{36}$/),
    file: z.string().regex(/^\/v2\/images\/[0-9a-f-]{36}\/file$/),
    schema: z.literal('/v2/schemas/image'),
  })
  .catchall(text)
const settable = {
  name: text.nullable(),
  visibility,
  protected: z.boolean(),
  os_hidden: z.boolean(),
  tags: z.array(text),
  container_format: text.nullable(),
  disk_format: text.nullable(),
  min_disk: whole,
  min_ram: whole,
  id: text,
  owner: text,
}
const wanted = z.object(settable).partial().catchall(text)
const step = z.union([
  z.strictObject({ op: z.enum(['add', 'replace']), path: z.string().startsWith('/'), value: z.unknown() }),
  z.strictObject({ op: z.literal('remove'), path: z.string().startsWith('/') }),
])
const member = z.strictObject({
  image_id: z.uuid(),
  member_id: text,
  status: z.enum(['pending', 'accepted', 'rejected']),
  created_at: seconds,
  updated_at: seconds,
  schema: z.literal('/v2/schemas/member'),
})
const self = z.tuple([z.strictObject({ rel: z.literal('self'), href: z.url() })])
const versions = z.strictObject({
  versions: z.array(
    z.strictObject({
      id: z.string().regex(/^v2\.\d+$/),
      status: z.enum(['CURRENT', 'SUPPORTED']),
      links: self,
    }),
  ),
})
const done: Contract = { gives: { 204: nothing } }
const schema = (name: string): Contract => ({
  gives: {
    200: z.looseObject({ name: z.literal(name), properties: z.record(text, z.record(text, z.unknown())) }),
  },
})

export const images: Contracts = {
  'GET /image/': { gives: { 300: versions } },
  'GET /image/versions': { gives: { 200: versions } },
  'GET /image/v2/images': {
    gives: {
      200: z.strictObject({
        images: z.array(image),
        first: z.string().startsWith('/v2/images'),
        next: z.string().startsWith('/v2/images?').optional(),
        schema: z.literal('/v2/schemas/images'),
      }),
    },
  },
  'POST /image/v2/images': { takes: wanted, gives: { 201: image } },
  'GET /image/v2/images/:id': { gives: { 200: image } },
  'PATCH /image/v2/images/:id': { takes: z.array(step), gives: { 200: image } },
  'DELETE /image/v2/images/:id': done,
  'GET /image/v2/images/:id/file': { gives: { 200: z.unknown(), 204: nothing }, isRaw: true },
  'PUT /image/v2/images/:id/file': done,
  'PUT /image/v2/images/:id/stage': done,
  'POST /image/v2/images/:id/import': {
    takes: z.looseObject({ method: z.looseObject({ name: text }) }),
    gives: { 202: nothing },
  },
  'POST /image/v2/images/:id/actions/deactivate': done,
  'POST /image/v2/images/:id/actions/reactivate': done,
  'PUT /image/v2/images/:id/tags/:tag': done,
  'DELETE /image/v2/images/:id/tags/:tag': done,
  'GET /image/v2/images/:id/members': {
    gives: { 200: z.strictObject({ members: z.array(member), schema: z.literal('/v2/schemas/members') }) },
  },
  // Of a member Glance reads the one key that it wants.
  'POST /image/v2/images/:id/members': { takes: z.looseObject({ member: text }), gives: { 200: member } },
  'GET /image/v2/images/:id/members/:member': { gives: { 200: member } },
  'PUT /image/v2/images/:id/members/:member': {
    takes: z.looseObject({ status: z.enum(['pending', 'accepted', 'rejected']) }),
    gives: { 200: member },
  },
  'DELETE /image/v2/images/:id/members/:member': done,
  'GET /image/v2/schemas/image': schema('image'),
  'GET /image/v2/schemas/images': schema('images'),
  'GET /image/v2/schemas/member': schema('member'),
  'GET /image/v2/schemas/members': schema('members'),
  'GET /image/v2/info/import': {
    gives: {
      200: z.strictObject({
        'import-methods': z.strictObject({
          description: text,
          type: z.literal('array'),
          value: z.tuple([z.literal('glance-direct')]),
        }),
      }),
    },
  },
}

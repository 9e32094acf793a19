/** Flavors, key pairs, quotas and limits. */
import { z } from 'zod'
import type { Contracts } from '../contract.ts'
import { list, nothing, object, optional, since, turning, until, type Fields, type Part } from '../shape.ts'
import { items, links, micros, next, one, page, text, whole } from '../words.ts'

const flavor = object({
  id: text,
  name: text,
  ram: whole,
  disk: whole,
  vcpus: whole,
  swap: turning(['2.1', z.union([z.literal(''), whole.min(1)])], ['2.75', whole]),
  'OS-FLV-EXT-DATA:ephemeral': whole,
  'OS-FLV-DISABLED:disabled': z.boolean(),
  'os-flavor-access:is_public': z.boolean(),
  rxtx_factor: z.number(),
  links,
  description: since('2.55', text.nullable()),
  extra_specs: since('2.61', items),
})
const reference = object({ id: text, name: text, links, description: since('2.55', text.nullable()) })
const number = z.union([z.number(), text])
const wanted = object({
  name: text,
  id: number.nullable().optional(),
  ram: number,
  vcpus: number,
  disk: number,
  'OS-FLV-EXT-DATA:ephemeral': number.optional(),
  swap: number.optional(),
  rxtx_factor: number.optional(),
  'os-flavor-access:is_public': z.union([z.boolean(), text]).optional(),
  description: since('2.55', text.nullable().optional()),
})
const access = z.strictObject({ flavor_access: z.array(z.strictObject({ flavor_id: text, tenant_id: text })) })
const tenant = z.strictObject({ tenant: text })
const specs = z.strictObject({ extra_specs: items })
const spec = items.refine((given) => Object.keys(given).length === 1)
const someSpecs = z.record(text, number)

export const flavors: Contracts = {
  'GET /compute/v2.1/flavors': { gives: { 200: page('flavors', list(reference)) } },
  'GET /compute/v2.1/flavors/detail': { gives: { 200: page('flavors', list(flavor)) } },
  'GET /compute/v2.1/flavors/:id': { gives: { 200: one('flavor', flavor) } },
  'POST /compute/v2.1/flavors': { takes: one('flavor', wanted), gives: { 200: one('flavor', flavor) } },
  'PUT /compute/v2.1/flavors/:id': {
    takes: z.strictObject({ flavor: z.strictObject({ description: text.nullable() }) }),
    gives: { 200: one('flavor', flavor) },
  },
  'DELETE /compute/v2.1/flavors/:id': { gives: { 202: nothing } },
  'POST /compute/v2.1/flavors/:id/action': {
    takes: z.union([z.strictObject({ addTenantAccess: tenant }), z.strictObject({ removeTenantAccess: tenant })]),
    gives: { 200: access },
  },
  'GET /compute/v2.1/flavors/:id/os-flavor-access': { gives: { 200: access } },
  'GET /compute/v2.1/flavors/:id/os-extra_specs': { gives: { 200: specs } },
  'POST /compute/v2.1/flavors/:id/os-extra_specs': {
    takes: z.strictObject({ extra_specs: someSpecs }),
    gives: { 200: specs },
  },
  'GET /compute/v2.1/flavors/:id/os-extra_specs/:key': { gives: { 200: spec } },
  'PUT /compute/v2.1/flavors/:id/os-extra_specs/:key': { takes: someSpecs, gives: { 200: spec } },
  'DELETE /compute/v2.1/flavors/:id/os-extra_specs/:key': { gives: { 200: nothing } },
}

const type = since('2.2', z.enum(['ssh', 'x509']))
const fingerprint = z.string().regex(/^([0-9a-f]{2}:)+[0-9a-f]{2}$/)
const key: Fields = { name: text, public_key: text, fingerprint, type }
const made = one('keypair', object({ ...key, user_id: text, private_key: text.optional() }))

export const keypairs: Contracts = {
  'GET /compute/v2.1/os-keypairs': {
    gives: {
      200: object({ keypairs: list(one('keypair', object(key))), keypairs_links: since('2.35', next.optional()) }),
    },
  },
  'POST /compute/v2.1/os-keypairs': {
    takes: one(
      'keypair',
      object({
        name: text,
        public_key: turning(['2.1', text.optional()], ['2.92', text]),
        type: optional(type),
        user_id: since('2.10', text.optional()),
      }),
    ),
    gives: { 200: until('2.2', made), 201: since('2.2', made) },
  },
  'GET /compute/v2.1/os-keypairs/:name': {
    gives: {
      200: one(
        'keypair',
        object({
          ...key,
          user_id: text,
          id: whole,
          created_at: micros,
          updated_at: micros.nullable(),
          deleted: z.boolean(),
          deleted_at: micros.nullable(),
        }),
      ),
    },
  },
  'DELETE /compute/v2.1/os-keypairs/:name': { gives: { 202: until('2.2', nothing), 204: since('2.2', nothing) } },
}

function limited(part: Part): Fields {
  return {
    instances: part,
    cores: part,
    ram: part,
    metadata_items: part,
    key_pairs: part,
    server_groups: part,
    server_group_members: part,
    fixed_ips: until('2.36', part),
    floating_ips: until('2.36', part),
    security_groups: until('2.36', part),
    security_group_rules: until('2.36', part),
    injected_files: until('2.57', part),
    injected_file_content_bytes: until('2.57', part),
    injected_file_path_bytes: until('2.57', part),
  }
}
/** Classes kept the network's limits until 2.50, and had none of groups before. */
function classLimits(part: Part): Fields {
  const late = (there: Part): Part => since('2.50', there)
  const early = (there: Part): Part => until('2.50', there)
  return {
    ...limited(part),
    server_groups: late(part),
    server_group_members: late(part),
    fixed_ips: early(part),
    floating_ips: early(part),
    security_groups: early(part),
    security_group_rules: early(part),
  }
}
const limit = z.union([whole, text]).optional()
const quotaSet = one('quota_set', object({ id: text, ...limited(whole) }))
const used = z.strictObject({ limit: whole, in_use: whole, reserved: whole })

export const quotas: Contracts = {
  'GET /compute/v2.1/os-quota-sets/:project': { gives: { 200: quotaSet } },
  'PUT /compute/v2.1/os-quota-sets/:project': {
    takes: one('quota_set', object({ ...limited(limit), force: z.union([z.boolean(), text]).optional() })),
    gives: { 200: one('quota_set', object(limited(whole))) },
  },
  'DELETE /compute/v2.1/os-quota-sets/:project': { gives: { 202: nothing } },
  'GET /compute/v2.1/os-quota-sets/:project/defaults': { gives: { 200: quotaSet } },
  'GET /compute/v2.1/os-quota-sets/:project/detail': {
    gives: { 200: one('quota_set', object({ id: text, ...limited(used) })) },
  },
  'GET /compute/v2.1/os-quota-class-sets/:name': {
    gives: { 200: one('quota_class_set', object({ id: text, ...classLimits(whole) })) },
  },
  'PUT /compute/v2.1/os-quota-class-sets/:name': {
    // Groups were taken before they were shown.
    takes: one('quota_class_set', object({ ...classLimits(limit), server_groups: limit, server_group_members: limit })),
    gives: { 200: one('quota_class_set', object(classLimits(whole))) },
  },
  'GET /compute/v2.1/limits': {
    gives: {
      200: one(
        'limits',
        object({
          rate: z.tuple([]),
          absolute: object({
            maxTotalInstances: whole,
            maxTotalCores: whole,
            maxTotalRAMSize: whole,
            maxServerMeta: whole,
            maxTotalKeypairs: whole,
            maxServerGroups: whole,
            maxServerGroupMembers: whole,
            totalInstancesUsed: whole,
            totalCoresUsed: whole,
            totalRAMUsed: whole,
            totalServerGroupsUsed: whole,
            maxSecurityGroups: until('2.36', whole),
            maxSecurityGroupRules: until('2.36', whole),
            maxTotalFloatingIps: until('2.36', whole),
            totalFloatingIpsUsed: until('2.36', whole),
            totalSecurityGroupsUsed: until('2.36', whole),
            maxImageMeta: until('2.39', whole),
            maxPersonality: until('2.57', whole),
            maxPersonalitySize: until('2.57', whole),
          }),
        }),
      ),
    },
  },
}

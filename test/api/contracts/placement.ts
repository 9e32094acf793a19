/** Placement, to look at. Source: its API reference; the oldest shape and the newest are judged together. */
import { z } from 'zod'
import type { Contract, Contracts } from './contract.ts'
import { nothing } from './shape.ts'
import { text, texts, whole } from './words.ts'

const link = z.strictObject({ rel: text, href: z.string().startsWith('/placement/') })
const amounts = z.strictObject({ VCPU: whole.optional(), MEMORY_MB: whole.optional(), DISK_GB: whole.optional() })
const provider = z.strictObject({
  uuid: z.uuid(),
  name: text,
  generation: whole,
  links: z.array(link).min(3),
  parent_provider_uuid: z.null().optional(),
  root_provider_uuid: z.uuid().optional(),
})
const inventory = {
  total: whole,
  reserved: whole,
  min_unit: whole,
  max_unit: whole,
  step_size: whole,
  allocation_ratio: z.number(),
}
const inventories = z.partialRecord(z.enum(['VCPU', 'MEMORY_MB', 'DISK_GB']), z.strictObject(inventory))
const told = { resource_provider_generation: whole }
const resourceClass = z.strictObject({ name: text, links: z.array(link) })
const taken = z.strictObject({ resources: amounts, consumer_generation: whole.optional() })
const candidate = z.union([
  z.strictObject({
    allocations: z.array(z.strictObject({ resource_provider: z.strictObject({ uuid: z.uuid() }), resources: amounts })),
  }),
  z.strictObject({
    allocations: z.record(z.uuid(), z.strictObject({ resources: amounts })),
    mappings: z.record(text, z.array(z.uuid())).optional(),
  }),
])
const summary = z.strictObject({
  resources: z.record(text, z.strictObject({ capacity: whole, used: whole })),
  traits: texts.optional(),
  root_provider_uuid: z.uuid().optional(),
  parent_provider_uuid: z.null().optional(),
})
const used = z.union([amounts, z.strictObject({ INSTANCE: amounts.extend({ consumer_count: whole }).optional() })])
const gives = (shape: z.ZodType): Contract => ({ gives: { 200: shape } })
const at = 'GET /placement'
const one = `${at}/resource_providers/:uuid`

export const placement: Contracts = {
  [`${at}/`]: gives(z.strictObject({ versions: z.array(z.looseObject({ id: z.literal('v1.0') })) })),
  [`${at}/resource_providers`]: gives(z.strictObject({ resource_providers: z.array(provider) })),
  [one]: gives(provider),
  [`${one}/inventories`]: gives(z.strictObject({ ...told, inventories: inventories })),
  [`${one}/inventories/:name`]: gives(z.strictObject({ ...told, ...inventory })),
  [`${one}/usages`]: gives(z.strictObject({ ...told, usages: amounts })),
  [`${one}/aggregates`]: gives(
    z.strictObject({ aggregates: z.array(z.uuid()), resource_provider_generation: whole.optional() }),
  ),
  [`${one}/traits`]: gives(z.strictObject({ ...told, traits: texts })),
  [`${one}/allocations`]: gives(z.strictObject({ ...told, allocations: z.record(z.uuid(), taken) })),
  [`${at}/resource_classes`]: gives(z.strictObject({ resource_classes: z.array(resourceClass) })),
  [`${at}/resource_classes/:name`]: gives(resourceClass),
  [`${at}/traits`]: gives(z.strictObject({ traits: texts })),
  [`${at}/traits/:name`]: { gives: { 204: nothing } },
  [`${at}/usages`]: gives(z.strictObject({ usages: used })),
  [`${at}/allocations/:consumer`]: gives(
    z.strictObject({
      allocations: z.record(z.uuid(), z.strictObject({ generation: whole, resources: amounts })),
      project_id: text.optional(),
      user_id: text.optional(),
      consumer_generation: whole.optional(),
      consumer_type: z.literal('INSTANCE').optional(),
    }),
  ),
  [`${at}/allocation_candidates`]: gives(
    z.strictObject({
      allocation_requests: z.array(candidate),
      provider_summaries: z.record(z.uuid(), summary),
    }),
  ),
}

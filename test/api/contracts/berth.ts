/** What this cloud has beyond OpenStack's services. */
import { z } from 'zod'
import { hostChange, hostShape } from '../../../api/berth/hosts.ts'
import { joinBody, newToken, tokenShape } from '../../../api/berth/join.ts'
import type { Contracts } from './contract.ts'
import { nothing } from './shape.ts'
import { text, texts, whole } from './words.ts'

const root = '/berth/v1'
const oneHost = z.strictObject({ host: hostShape })
const hosts: Contracts = {
  [`GET ${root}/hosts`]: { gives: { 200: z.strictObject({ hosts: z.array(hostShape) }) } },
  [`GET ${root}/hosts/:host`]: { gives: { 200: oneHost } },
  [`PATCH ${root}/hosts/:host`]: { takes: hostChange, gives: { 200: oneHost } },
}

const policy = z.strictObject({
  id: z.union([whole, text]),
  name: text,
  project_id: text,
  server_id: z.uuid().nullable(),
  interval_seconds: whole,
  keep: whole,
  enabled: z.boolean(),
  created_at: z.iso.datetime(),
  updated_at: z.iso.datetime(),
})
const onePolicy = z.strictObject({ backup_policy: policy })
const policies: Contracts = {
  [`GET ${root}/backup-policies`]: { gives: { 200: z.strictObject({ backup_policies: z.array(policy) }) } },
  [`PUT ${root}/backup-policies`]: {
    takes: z.strictObject({
      name: text.optional(),
      server_id: z.uuid().nullable().optional(),
      project_id: text.nullable().optional(),
      interval_seconds: whole,
      keep: whole,
      enabled: z.boolean().optional(),
    }),
    gives: { 200: onePolicy },
  },
  [`GET ${root}/backup-policies/:id`]: { gives: { 200: onePolicy } },
  [`DELETE ${root}/backup-policies/:id`]: { gives: { 204: nothing } },
}

const image = z.strictObject({
  id: z.uuid(),
  name: text.nullable(),
  status: text,
  visibility: z.enum(['public', 'private', 'shared', 'community']),
  size: whole.nullable(),
  layers: whole.nullable(),
  digest: text.nullable(),
  flattened_from: text.nullable(),
  hosts: texts,
  wished: texts,
})
const swept = z.looseObject({ host: text, error: text.nullable() })
const images: Contracts = {
  [`GET ${root}/images`]: { gives: { 200: z.strictObject({ images: z.array(image) }) } },
  [`POST ${root}/images/sweep`]: {
    gives: { 200: z.strictObject({ dry_run: z.boolean(), hosts: z.array(swept) }) },
  },
  [`POST ${root}/images/:id/cache`]: { gives: { 202: nothing } },
  [`DELETE ${root}/images/:id/cache`]: { gives: { 204: nothing } },
  [`GET ${root}/images/:id/archive`]: { gives: { 200: z.unknown() }, isRaw: true },
}

const joining: Contracts = {
  [`POST ${root}/join-tokens`]: { takes: newToken, gives: { 201: tokenShape } },
  [`POST ${root}/join`]: {
    takes: joinBody,
    gives: {
      200: z.union([
        z.strictObject({ settings: z.record(text, z.unknown()) }),
        z.strictObject({ reach: z.strictObject({ database: text, registry: text.nullable() }) }),
      ]),
    },
  },
}

export const berth: Contracts = { ...hosts, ...joining, ...policies, ...images }

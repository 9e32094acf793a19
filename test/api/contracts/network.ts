/** Network v2.0. Source: Neutron's API reference. */
import { z } from 'zod'
import type { Contract, Contracts } from './contract.ts'
import { nothing } from './shape.ts'
import { seconds, text, texts, whole } from './words.ts'
import { group, limitRule, network, policy, port, rule, subnet, uuid } from './network-records.ts'

const at = '/networking/v2.0'
const next = z.array(z.strictObject({ rel: z.enum(['next', 'previous']), href: z.url() })).min(1)
/** `fields=` cuts an entry down to what is asked for. */
const cut = (entry: z.ZodObject): z.ZodType => entry.partial()
const listing = (all: string, entry: z.ZodObject): Contract => ({
  gives: { 200: z.strictObject({ [all]: z.array(cut(entry)), [`${all}_links`]: next.optional() }) },
})
const showing = (one: string, entry: z.ZodObject): Contract => ({
  gives: { 200: z.strictObject({ [one]: cut(entry) }) },
})
const done: Contract = { gives: { 204: nothing } }
const body = (name: string): z.ZodType => z.strictObject({ [name]: z.record(text, z.unknown()) })

function resource(path: string, [one, all]: readonly [string, string], entry: z.ZodObject): Contracts {
  const wanted = z.union([body(one), z.strictObject({ [all]: z.array(z.record(text, z.unknown())) })])
  const made = z.union([z.strictObject({ [one]: entry }), z.strictObject({ [all]: z.array(entry) })])
  return {
    [`GET ${at}/${path}`]: listing(all, entry),
    [`POST ${at}/${path}`]: { takes: wanted, gives: { 201: made } },
    [`GET ${at}/${path}/:id`]: showing(one, entry),
    [`PUT ${at}/${path}/:id`]: { takes: body(one), gives: { 200: z.strictObject({ [one]: entry }) } },
    [`DELETE ${at}/${path}/:id`]: done,
  }
}

function tagsOf(path: string): Contracts {
  const tags = z.strictObject({ tags: texts })
  return {
    [`GET ${at}/${path}/:id/tags`]: { gives: { 200: tags } },
    [`PUT ${at}/${path}/:id/tags`]: { takes: tags, gives: { 200: tags } },
    [`DELETE ${at}/${path}/:id/tags`]: done,
    [`GET ${at}/${path}/:id/tags/:tag`]: done,
    [`PUT ${at}/${path}/:id/tags/:tag`]: { gives: { 201: nothing } },
    [`DELETE ${at}/${path}/:id/tags/:tag`]: done,
  }
}

const names = [
  ...['network', 'subnet', 'subnetpool', 'port', 'security_group', 'security_group_rule'],
  ...['router', 'floatingip', 'rbac_policy'],
]
const each = (part: z.ZodType): Readonly<Record<string, z.ZodType>> =>
  Object.fromEntries(names.map((name) => [name, part]))
const quota = z.strictObject({ quota: z.strictObject(each(whole)) })
const used = z.strictObject({ limit: whole, used: whole, reserved: whole })
const details: Contract = { gives: { 200: z.strictObject({ quota: z.strictObject(each(used)) }) } }
const tenant: Contract = {
  gives: { 200: z.strictObject({ tenant: z.strictObject({ tenant_id: text }) }) },
}
const quotas: Contracts = {
  [`GET ${at}/quotas`]: {
    gives: {
      200: z.strictObject({
        quotas: z.array(z.strictObject({ ...each(whole), project_id: text, tenant_id: text })),
      }),
    },
  },
  [`GET ${at}/quotas/tenant`]: tenant,
  [`GET ${at}/quotas/project`]: tenant,
  [`GET ${at}/quotas/:project`]: { gives: { 200: quota } },
  [`PUT ${at}/quotas/:project`]: { takes: body('quota'), gives: { 200: quota } },
  [`DELETE ${at}/quotas/:project`]: done,
  [`GET ${at}/quotas/:project/default`]: { gives: { 200: quota } },
  [`GET ${at}/quotas/:project/details`]: details,
  [`GET ${at}/quotas/:project/details.json`]: details,
}

const limits = `${at}/qos/policies/:id/bandwidth_limit_rules`
const oneLimit = z.strictObject({ bandwidth_limit_rule: limitRule })
const qos: Contracts = {
  ...resource('qos/policies', ['policy', 'policies'], policy),
  [`GET ${limits}`]: listing('bandwidth_limit_rules', limitRule),
  [`POST ${limits}`]: { takes: body('bandwidth_limit_rule'), gives: { 201: oneLimit } },
  [`GET ${limits}/:rule`]: { gives: { 200: oneLimit } },
  [`PUT ${limits}/:rule`]: { takes: body('bandwidth_limit_rule'), gives: { 200: oneLimit } },
  [`DELETE ${limits}/:rule`]: done,
  [`GET ${at}/qos/rule-types`]: {
    gives: { 200: z.strictObject({ rule_types: z.array(z.strictObject({ type: text })) }) },
  },
  [`GET ${at}/qos/rule-types/:type`]: {
    gives: {
      200: z.strictObject({
        rule_type: z.strictObject({
          type: text,
          drivers: z.array(
            z.strictObject({
              name: text,
              supported_parameters: z.array(
                z.strictObject({
                  parameter_name: text,
                  parameter_type: z.enum(['range', 'choices']),
                  parameter_values: z.union([texts, z.strictObject({ start: whole, end: whole })]),
                }),
              ),
            }),
          ),
        }),
      }),
    },
  },
}

const counters = z.record(text, z.number())
const state = z.strictObject({
  id: uuid,
  host: text.nullable(),
  device: text.nullable(),
  vlan: whole.nullable(),
  is_plugged: z.boolean(),
  error: text.nullable(),
  counters: counters.nullable(),
})
const step = z.strictObject({
  at: z.enum(['network', 'sender', 'egress', 'ingress', 'receiver', 'switch']),
  passes: z.boolean(),
  reason: text,
})
const trace = z.strictObject({ trace: z.strictObject({ passes: z.boolean(), steps: z.array(step) }) })

const self = z.tuple([z.strictObject({ rel: z.literal('self'), href: z.url() })])
const extension = z.strictObject({
  alias: text,
  name: text,
  description: text,
  links: z.tuple([]),
  updated: z.iso.datetime({ offset: true }),
})
const agent = z.strictObject({
  id: uuid,
  agent_type: text,
  binary: text,
  topic: text,
  host: text,
  alive: z.boolean(),
  admin_state_up: z.boolean(),
  availability_zone: text.nullable(),
  created_at: seconds,
  started_at: seconds,
  heartbeat_timestamp: seconds,
  description: text.nullable(),
  configurations: z.record(text, z.unknown()),
  resources_synced: z.boolean().nullable(),
})
const zone = z.strictObject({
  name: text,
  resource: z.enum(['network', 'router']),
  state: z.enum(['available', 'unavailable']),
})
const resources: Contract = { gives: { 200: z.strictObject({ resources: z.tuple([]) }) } }
/** Clients ask for them, and there are none. */
export const absent = ['floatingips', 'routers', 'subnetpools', 'trunks', 'rbac-policies', 'address-scopes'] as const
const about: Contracts = {
  'GET /networking/': {
    gives: {
      200: z.strictObject({
        versions: z.tuple([z.strictObject({ id: z.literal('v2.0'), status: z.literal('CURRENT'), links: self })]),
      }),
    },
  },
  [`GET ${at}`]: resources,
  [`GET ${at}/`]: resources,
  [`GET ${at}/extensions`]: { gives: { 200: z.strictObject({ extensions: z.array(extension) }) } },
  [`GET ${at}/extensions/:alias`]: { gives: { 200: z.strictObject({ extension }) } },
  ...Object.fromEntries(
    absent.map((path) => [
      `GET ${at}/${path}`,
      { gives: { 200: z.strictObject({ [path.replaceAll('-', '_')]: z.tuple([]) }) } },
    ]),
  ),
  [`GET ${at}/availability_zones`]: listing('availability_zones', zone),
  [`GET ${at}/agents`]: listing('agents', agent),
}

/** A rule is made and deleted, and never changed. */
const rules: Contracts = Object.fromEntries(
  Object.entries(resource('security-group-rules', ['security_group_rule', 'security_group_rules'], rule)).filter(
    ([name]) => !name.startsWith('PUT '),
  ),
)

export const networks: Contracts = {
  ...about,
  ...resource('networks', ['network', 'networks'], network),
  ...resource('subnets', ['subnet', 'subnets'], subnet),
  ...resource('ports', ['port', 'ports'], port),
  [`GET ${at}/ports/:id/state`]: { gives: { 200: z.strictObject({ state }) } },
  [`GET ${at}/ports/:id/trace`]: { gives: { 200: trace } },
  ...resource('security-groups', ['security_group', 'security_groups'], group),
  ...rules,
  ...quotas,
  ...qos,
  ...['networks', 'subnets', 'ports', 'security-groups'].reduce<Contracts>(
    (all, path) => ({ ...all, ...tagsOf(path) }),
    {},
  ),
}

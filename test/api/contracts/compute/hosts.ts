/** Hosts, and what administrators see and do. */
import { z } from 'zod'
import type { Contracts } from '../contract.ts'
import { list, nothing, object, since, turning, until, type Fields } from '../shape.ts'
import { items, micros, next, one, text, texts, whole } from '../words.ts'

const id = turning(['2.1', whole], ['2.53', z.uuid()])
const upDown = z.enum(['up', 'down'])
const onOff = z.enum(['enabled', 'disabled'])
const servers = z.array(z.strictObject({ name: text, uuid: z.uuid() }))
/** Asked for by with_servers, and then always there since 2.75. */
const withServers = since('2.53', servers.optional())
const reference: Fields = { id, hypervisor_hostname: text, state: upDown, status: onOff }
const statistics: Readonly<Record<string, z.ZodType>> = Object.fromEntries(
  [
    ...['vcpus', 'vcpus_used', 'memory_mb', 'memory_mb_used', 'free_ram_mb', 'local_gb', 'local_gb_used'],
    ...['free_disk_gb', 'disk_available_least', 'running_vms', 'current_workload'],
  ].map((name) => [name, whole]),
)
const cpu = z.strictObject({
  arch: text,
  model: text,
  topology: z.strictObject({ cores: whole, threads: whole, sockets: whole }),
})
const hypervisor = object({
  ...reference,
  ...Object.fromEntries(Object.entries(statistics).map(([name, part]) => [name, until('2.88', part)])),
  cpu_info: turning(['2.1', z.string().startsWith('{')], ['2.28', until('2.88', cpu)]),
  host_ip: z.ipv4(),
  hypervisor_type: text,
  hypervisor_version: whole,
  service: object({ id, host: text, disabled_reason: text.nullable() }),
  servers: withServers,
  uptime: since('2.88', text.nullable()),
})
const paged = { hypervisors_links: since('2.33', next.optional()) }

const hypervisors: Contracts = {
  'GET /compute/v2.1/os-hypervisors': {
    gives: { 200: object({ hypervisors: list(object({ ...reference, servers: withServers })), ...paged }) },
  },
  'GET /compute/v2.1/os-hypervisors/detail': { gives: { 200: object({ hypervisors: list(hypervisor), ...paged }) } },
  'GET /compute/v2.1/os-hypervisors/statistics': {
    gives: { 200: z.strictObject({ hypervisor_statistics: z.strictObject({ count: whole, ...statistics }) }) },
  },
  'GET /compute/v2.1/os-hypervisors/:id': { gives: { 200: one('hypervisor', hypervisor) } },
  'GET /compute/v2.1/os-hypervisors/:id/uptime': {
    gives: { 200: one('hypervisor', object({ ...reference, uptime: text })) },
  },
  'GET /compute/v2.1/os-hypervisors/:id/search': { gives: { 200: one('hypervisors', list(object(reference))) } },
  'GET /compute/v2.1/os-hypervisors/:id/servers': {
    gives: { 200: one('hypervisors', list(object({ ...reference, servers: servers.optional() }))) },
  },
}

const service = object({
  id,
  binary: z.enum(['nova-compute', 'nova-scheduler']),
  host: text,
  zone: text,
  status: onOff,
  state: upDown,
  updated_at: micros.nullable(),
  disabled_reason: text.nullable(),
  forced_down: since('2.11', z.boolean()),
})
const flag = z.union([z.boolean(), text])
const services: Contracts = {
  'GET /compute/v2.1/os-services': { gives: { 200: one('services', list(service)) } },
  'PUT /compute/v2.1/os-services/:action': {
    takes: object({
      host: text,
      binary: text,
      disabled_reason: text.optional(),
      forced_down: since('2.11', flag.optional()),
    }),
    gives: {
      200: one(
        'service',
        object({
          host: text,
          binary: text,
          status: onOff.optional(),
          disabled_reason: text.optional(),
          forced_down: since('2.11', z.boolean().optional()),
        }),
      ),
    },
  },
  'PUT /compute/v2.1/os-services/:id': {
    takes: z.strictObject({ status: onOff.optional(), disabled_reason: text.optional(), forced_down: flag.optional() }),
    gives: { 200: one('service', service) },
  },
  'DELETE /compute/v2.1/os-services/:id': { gives: { 204: nothing } },
}

const resource = z.strictObject({
  resource: z.strictObject({ host: text, project: text, cpu: whole, memory_mb: whole, disk_gb: whole }),
})
const enable = z.string().regex(/^\s*(enable|disable)\s*$/i)
const hosts: Contracts = {
  'GET /compute/v2.1/os-hosts': {
    gives: {
      200: z.strictObject({ hosts: z.array(z.strictObject({ host_name: text, service: text, zone: text })) }),
    },
  },
  'GET /compute/v2.1/os-hosts/:name': { gives: { 200: z.strictObject({ host: z.array(resource).min(3) }) } },
  'PUT /compute/v2.1/os-hosts/:name': {
    takes: z.strictObject({ status: enable.optional(), maintenance_mode: enable.optional() }),
    gives: { 200: z.strictObject({ host: text, status: onOff }) },
  },
  'GET /compute/v2.1/os-hosts/:name/startup': { gives: {} },
  'GET /compute/v2.1/os-hosts/:name/shutdown': { gives: {} },
  'GET /compute/v2.1/os-hosts/:name/reboot': { gives: {} },
}

const young: Fields = {
  id: whole,
  name: text,
  availability_zone: text.nullable(),
  created_at: micros,
  updated_at: micros.nullable(),
  deleted: z.literal(false),
  deleted_at: z.null(),
  uuid: since('2.41', z.uuid()),
}
const aggregate = object({ ...young, hosts: texts, metadata: items })
const zone = text.nullable().optional()
const host = z.strictObject({ host: text })
const aggregates: Contracts = {
  'GET /compute/v2.1/os-aggregates': { gives: { 200: one('aggregates', list(aggregate)) } },
  'POST /compute/v2.1/os-aggregates': {
    takes: z.strictObject({ aggregate: z.strictObject({ name: text, availability_zone: zone }) }),
    gives: { 200: one('aggregate', object(young)) },
  },
  'GET /compute/v2.1/os-aggregates/:id': { gives: { 200: one('aggregate', aggregate) } },
  'PUT /compute/v2.1/os-aggregates/:id': {
    takes: z.strictObject({ aggregate: z.strictObject({ name: text.optional(), availability_zone: zone }) }),
    gives: { 200: one('aggregate', aggregate) },
  },
  'DELETE /compute/v2.1/os-aggregates/:id': { gives: { 200: nothing } },
  'POST /compute/v2.1/os-aggregates/:id/images': {
    takes: z.strictObject({ cache: z.array(z.strictObject({ id: z.uuid() })).min(1) }),
    gives: { 202: nothing },
  },
  'POST /compute/v2.1/os-aggregates/:id/action': {
    takes: z.union([
      z.strictObject({ add_host: host }),
      z.strictObject({ remove_host: host }),
      z.strictObject({ set_metadata: z.strictObject({ metadata: z.record(text, text.nullable()) }) }),
    ]),
    gives: { 200: one('aggregate', aggregate) },
  },
}

const state = z.strictObject({ available: z.boolean() })
const zoneOf = (whose: z.ZodType): z.ZodType =>
  z.strictObject({
    availabilityZoneInfo: z.array(z.strictObject({ zoneName: text, zoneState: state, hosts: whose })),
  })
const running = z.strictObject({ available: z.boolean(), active: z.boolean(), updated_at: micros.nullable() })
const zones: Contracts = {
  'GET /compute/v2.1/os-availability-zone': { gives: { 200: zoneOf(z.null()) } },
  'GET /compute/v2.1/os-availability-zone/detail': {
    gives: { 200: zoneOf(z.record(text, z.record(text, running)).nullable()) },
  },
}

const policies = z.enum(['affinity', 'anti-affinity', 'soft-affinity', 'soft-anti-affinity'])
const rules = z.strictObject({ max_server_per_host: whole.optional() })
const group = object({
  id: z.uuid(),
  name: text,
  members: z.array(z.uuid()),
  policies: until('2.64', z.tuple([policies])),
  metadata: until('2.64', z.strictObject({})),
  policy: since('2.64', policies),
  rules: since('2.64', rules),
  project_id: since('2.13', text),
  user_id: since('2.13', text),
})
const hard = z.tuple([z.enum(['affinity', 'anti-affinity'])])
const someRules = z.strictObject({ max_server_per_host: z.union([whole, text]).optional() })
const groups: Contracts = {
  'GET /compute/v2.1/os-server-groups': { gives: { 200: one('server_groups', list(group)) } },
  'POST /compute/v2.1/os-server-groups': {
    takes: one(
      'server_group',
      object({
        name: text,
        policies: turning(['2.1', hard], ['2.15', until('2.64', z.tuple([policies]))]),
        policy: since('2.64', policies),
        rules: since('2.64', someRules.optional()),
      }),
    ),
    gives: { 200: one('server_group', group) },
  },
  'GET /compute/v2.1/os-server-groups/:id': { gives: { 200: one('server_group', group) } },
  'DELETE /compute/v2.1/os-server-groups/:id': { gives: { 204: nothing } },
}

const migration = object({
  id: whole,
  instance_uuid: z.uuid(),
  status: text,
  source_compute: text,
  source_node: text,
  dest_compute: text.nullable(),
  dest_node: text.nullable(),
  dest_host: text.nullable(),
  old_instance_type_id: whole.nullable(),
  new_instance_type_id: whole.nullable(),
  created_at: micros,
  updated_at: micros.nullable(),
  migration_type: since('2.23', z.enum(['migration', 'resize', 'live-migration', 'evacuation'])),
  links: since('2.23', z.array(z.unknown()).optional()),
  uuid: since('2.59', z.uuid()),
  user_id: since('2.80', text.nullable()),
  project_id: since('2.80', text.nullable()),
})

export const hostContracts: Contracts = {
  ...hypervisors,
  ...services,
  ...hosts,
  ...aggregates,
  ...zones,
  ...groups,
  'GET /compute/v2.1/os-migrations': {
    gives: { 200: object({ migrations: list(migration), migrations_links: since('2.59', next.optional()) }) },
  },
}

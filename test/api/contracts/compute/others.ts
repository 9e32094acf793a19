/** Usage, events, extensions, versions; and what ended with 2.36. */
import { z } from 'zod'
import type { Contracts } from '../contract.ts'
import { list, nothing, object, since, type Fields } from '../shape.ts'
import { items, micros, next, one, page, seconds, text, whole } from '../words.ts'
import { securityGroup, securityGroupRule } from './servers.ts'

const hours = z.number()
const serverUsage = z.strictObject({
  instance_id: z.uuid(),
  name: text,
  tenant_id: text,
  flavor: text,
  vcpus: whole,
  memory_mb: whole,
  local_gb: whole,
  hours,
  started_at: micros,
  ended_at: micros.nullable(),
  state: text,
  uptime: whole,
})
const projectUsage = {
  tenant_id: text,
  start: micros,
  stop: micros,
  total_hours: hours,
  total_vcpus_usage: hours,
  total_memory_mb_usage: hours,
  total_local_gb_usage: hours,
}
const ownUsage = z.union([z.strictObject({}), z.strictObject({ ...projectUsage, server_usages: z.array(serverUsage) })])
const auditLog = z.strictObject({
  hosts_not_run: z.array(text),
  log: z.record(
    text,
    z.strictObject({ errors: whole, instances: whole, message: text, state: z.enum(['DONE', 'RUNNING', 'UNKNOWN']) }),
  ),
  num_hosts: whole,
  num_hosts_done: whole,
  num_hosts_not_run: whole,
  num_hosts_running: whole,
  overall_status: text,
  period_beginning: z.string().regex(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/),
  period_ending: z.string().regex(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/),
  total_errors: whole,
  total_instances: whole,
})
const event = {
  name: z.enum(['network-changed', 'network-vif-plugged', 'network-vif-unplugged', 'network-vif-deleted']),
  server_uuid: z.uuid(),
  status: z.enum(['failed', 'completed', 'in-progress']).optional(),
  tag: text.optional(),
}
const told = z.strictObject({ events: z.array(z.strictObject({ ...event, code: z.literal([200, 404, 422]) })) })

export const usage: Contracts = {
  'GET /compute/v2.1/os-simple-tenant-usage': {
    gives: {
      200: object({
        tenant_usages: z.array(z.strictObject({ ...projectUsage, server_usages: z.array(serverUsage).optional() })),
        tenant_usages_links: since('2.40', next.optional()),
      }),
    },
  },
  'GET /compute/v2.1/os-simple-tenant-usage/:project': {
    gives: { 200: object({ tenant_usage: ownUsage, tenant_usage_links: since('2.40', next.optional()) }) },
  },
  'GET /compute/v2.1/os-instance_usage_audit_log': { gives: { 200: one('instance_usage_audit_logs', auditLog) } },
  'GET /compute/v2.1/os-instance_usage_audit_log/:before': {
    gives: { 200: one('instance_usage_audit_log', auditLog) },
  },
  'POST /compute/v2.1/os-server-external-events': {
    takes: z.strictObject({ events: z.array(z.strictObject(event)).min(1) }),
    gives: { 200: told, 207: told },
  },
}

const extension = z.strictObject({
  alias: text,
  name: text,
  description: text,
  links: z.tuple([]),
  namespace: z.url(),
  updated: z.iso.datetime(),
})
const self = z.tuple([z.strictObject({ rel: z.literal('self'), href: z.url() })])
const version = {
  id: z.enum(['v2.0', 'v2.1']),
  status: z.enum(['CURRENT', 'SUPPORTED']),
  version: z.string().regex(/^(2\.\d+)?$/),
  min_version: z.string().regex(/^(2\.\d+)?$/),
  updated: z.iso.datetime(),
}
const oneVersion = z.strictObject({
  version: z.strictObject({
    ...version,
    links: z.array(z.strictObject({ rel: z.enum(['self', 'describedby']), href: z.url(), type: text.optional() })),
    'media-types': z.array(z.strictObject({ base: text, type: text })),
  }),
})
const paths = ['/v2', '/v2/', '/v2.1', '/v2.1/'] as const

export const versions: Contracts = {
  'GET /compute/': {
    gives: { 200: z.strictObject({ versions: z.array(z.strictObject({ ...version, links: self })) }) },
  },
  ...Object.fromEntries(paths.map((path) => [`GET /compute${path}`, { gives: { 200: oneVersion } }])),
  'GET /compute/v2.1/extensions': { gives: { 200: z.strictObject({ extensions: z.array(extension) }) } },
  'GET /compute/v2.1/extensions/:alias': { gives: { 200: z.strictObject({ extension }) } },
}

const imageLinks = z.array(
  z.strictObject({ rel: z.enum(['self', 'bookmark', 'alternate']), href: z.url(), type: text.optional() }),
)
const serverLinks = z.array(z.strictObject({ rel: z.enum(['self', 'bookmark']), href: z.url() }))
const image = z.strictObject({
  id: z.uuid(),
  name: text.nullable(),
  links: imageLinks,
  status: z.enum(['ACTIVE', 'SAVING', 'ERROR', 'DELETED', 'UNKNOWN']),
  created: seconds,
  updated: seconds,
  minDisk: whole,
  minRam: whole,
  progress: whole,
  metadata: items,
  'OS-EXT-IMG-SIZE:size': whole.nullable(),
  'OS-DCF:diskConfig': z.enum(['AUTO', 'MANUAL']).optional(),
  server: z.strictObject({ id: z.uuid(), links: serverLinks }).optional(),
})
const metadata = z.strictObject({ metadata: items })
const meta = z.strictObject({ meta: items.refine((given) => Object.keys(given).length === 1) })

export const imageProxies: Contracts = {
  'GET /compute/v2.1/images': {
    gives: { 200: page('images', z.array(z.strictObject({ id: z.uuid(), name: text.nullable(), links: imageLinks }))) },
  },
  'GET /compute/v2.1/images/detail': { gives: { 200: page('images', z.array(image)) } },
  'GET /compute/v2.1/images/:id': { gives: { 200: z.strictObject({ image }) } },
  'DELETE /compute/v2.1/images/:id': { gives: { 204: nothing } },
  'GET /compute/v2.1/images/:id/metadata': { gives: { 200: metadata } },
  'POST /compute/v2.1/images/:id/metadata': { takes: metadata, gives: { 200: metadata } },
  'PUT /compute/v2.1/images/:id/metadata': { takes: metadata, gives: { 200: metadata } },
  'GET /compute/v2.1/images/:id/metadata/:key': { gives: { 200: meta } },
  'PUT /compute/v2.1/images/:id/metadata/:key': { takes: meta, gives: { 200: meta } },
  'DELETE /compute/v2.1/images/:id/metadata/:key': { gives: { 204: nothing } },
}

/** Nova never checked what else these hold. */
const groupWish = z.looseObject({ security_group: z.looseObject({ name: text, description: text.nullable() }) })
const ruleWish = z.looseObject({
  security_group_rule: z.looseObject({
    parent_group_id: text,
    ip_protocol: text.nullable().optional(),
    from_port: z.union([whole, text]).nullable().optional(),
    to_port: z.union([whole, text]).nullable().optional(),
    cidr: text.nullable().optional(),
    group_id: text.nullable().optional(),
  }),
})
const oneGroup = z.strictObject({ security_group: securityGroup })

/** All null: Neutron has other words. */
const nothings = (names: readonly string[]): Fields => Object.fromEntries(names.map((name) => [name, z.null()]))
const seen = [
  ...['bridge', 'broadcast', 'cidr', 'cidr_v6', 'dns1', 'dns2'],
  ...['gateway', 'gateway_v6', 'netmask', 'netmask_v6'],
]
const hidden = [
  ...['bridge_interface', 'created_at', 'deleted', 'deleted_at', 'dhcp_start', 'host', 'injected', 'multi_host'],
  ...['priority', 'project_id', 'rxtx_base', 'updated_at', 'vlan', 'vpn_private_address', 'vpn_public_address'],
  ...['vpn_public_port', 'mtu', 'dhcp_server', 'enable_dhcp', 'share_address'],
]
const named: Fields = { id: z.uuid(), label: text }
const all = { ...named, ...nothings([...seen, ...hidden]) }
const some = { ...named, ...nothings(seen) }
const network = z.union([objectOf(all), objectOf(some)])
const tenantNetwork = z.strictObject({ id: z.uuid(), label: text, cidr: text })

function objectOf(fields: Fields): z.ZodType {
  return object(fields).at(1) ?? z.never()
}

export const networkProxies: Contracts = {
  'GET /compute/v2.1/os-security-groups': { gives: { 200: one('security_groups', list(securityGroup)) } },
  'POST /compute/v2.1/os-security-groups': { takes: groupWish, gives: { 200: oneGroup } },
  'GET /compute/v2.1/os-security-groups/:id': { gives: { 200: oneGroup } },
  'PUT /compute/v2.1/os-security-groups/:id': { takes: groupWish, gives: { 200: oneGroup } },
  'DELETE /compute/v2.1/os-security-groups/:id': { gives: { 202: nothing } },
  'POST /compute/v2.1/os-security-group-rules': {
    takes: ruleWish,
    gives: { 200: one('security_group_rule', securityGroupRule) },
  },
  'DELETE /compute/v2.1/os-security-group-rules/:id': { gives: { 202: nothing } },
  'GET /compute/v2.1/os-networks': { gives: { 200: one('networks', list(network)) } },
  'POST /compute/v2.1/os-networks': { gives: {} },
  'GET /compute/v2.1/os-networks/:id': { gives: { 200: one('network', network) } },
  'DELETE /compute/v2.1/os-networks/:id': { gives: {} },
  'GET /compute/v2.1/os-tenant-networks': { gives: { 200: one('networks', list(tenantNetwork)) } },
  'POST /compute/v2.1/os-tenant-networks': { gives: {} },
  'GET /compute/v2.1/os-tenant-networks/:id': { gives: { 200: one('network', tenantNetwork) } },
  'DELETE /compute/v2.1/os-tenant-networks/:id': { gives: {} },
}

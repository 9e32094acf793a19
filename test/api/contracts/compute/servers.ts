/** /servers and what lies below it. */
import { z } from 'zod'
import type { Contracts } from '../contract.ts'
import { list, nothing, object, optional, since, turning, type Part } from '../shape.ts'
import { items, links, micros, next, one, page, requestId, text, texts, whole } from '../words.ts'
import { change, listed, plainAddresses, reference, shown, updated, wanted } from './server.ts'

const created = z.union([
  z.strictObject({
    server: z.strictObject({
      id: z.uuid(),
      links,
      'OS-DCF:diskConfig': z.enum(['AUTO', 'MANUAL']),
      security_groups: z.array(z.strictObject({ name: text })),
      adminPass: text,
    }),
  }),
  // Of a request that came before, by its Idempotency-Key: the password is told once.
  z.strictObject({ server: z.strictObject({ id: z.uuid(), links }) }),
  z.strictObject({ reservation_id: z.string().regex(/^r-[0-9a-z]+$/) }),
])

export const ofServers: Contracts = {
  'GET /compute/v2.1/servers': { gives: { 200: page('servers', list(reference)) } },
  'GET /compute/v2.1/servers/detail': { gives: { 200: page('servers', list(listed)) } },
  'POST /compute/v2.1/servers': { takes: wanted, gives: { 202: created } },
  'POST /compute/v2.1/os-volumes_boot': { takes: wanted, gives: { 202: created } },
  'GET /compute/v2.1/servers/:id': { gives: { 200: one('server', shown) } },
  'PUT /compute/v2.1/servers/:id': { takes: change, gives: { 200: one('server', updated) } },
  'DELETE /compute/v2.1/servers/:id': { gives: { 204: nothing } },
}

const metadata = z.strictObject({ metadata: items })
const meta = z.strictObject({ meta: items.refine((given) => Object.keys(given).length === 1) })
const tags: Part = z.strictObject({ tags: texts })

export const ofWords: Contracts = {
  'GET /compute/v2.1/servers/:id/metadata': { gives: { 200: metadata } },
  'POST /compute/v2.1/servers/:id/metadata': { takes: metadata, gives: { 200: metadata } },
  'PUT /compute/v2.1/servers/:id/metadata': { takes: metadata, gives: { 200: metadata } },
  'GET /compute/v2.1/servers/:id/metadata/:key': { gives: { 200: meta } },
  'PUT /compute/v2.1/servers/:id/metadata/:key': { takes: meta, gives: { 200: meta } },
  'DELETE /compute/v2.1/servers/:id/metadata/:key': { gives: { 204: nothing } },
  'GET /compute/v2.1/servers/:id/tags': { gives: { 200: tags } },
  'PUT /compute/v2.1/servers/:id/tags': { takes: tags, gives: { 200: tags } },
  'DELETE /compute/v2.1/servers/:id/tags': { gives: { 204: nothing } },
  'GET /compute/v2.1/servers/:id/tags/:tag': { gives: { 204: nothing } },
  'PUT /compute/v2.1/servers/:id/tags/:tag': { gives: { 201: nothing, 204: nothing } },
  'DELETE /compute/v2.1/servers/:id/tags/:tag': { gives: { 204: nothing } },
}

const attachment = object({
  port_id: z.uuid(),
  net_id: z.uuid(),
  mac_addr: z.mac(),
  port_state: z.enum(['ACTIVE', 'DOWN', 'BUILD', 'ERROR']),
  fixed_ips: z.array(z.strictObject({ subnet_id: z.uuid(), ip_address: text })),
  tag: since('2.70', text.nullable()),
})
const attach = object({
  interfaceAttachment: object({
    net_id: text.optional(),
    port_id: text.optional(),
    fixed_ips: z.array(z.strictObject({ ip_address: text })).optional(),
    tag: since('2.49', text.optional()),
  }),
})
const groupRule = z.strictObject({
  id: z.uuid(),
  parent_group_id: z.uuid(),
  ip_protocol: text.nullable(),
  from_port: whole.nullable(),
  to_port: whole.nullable(),
  ip_range: z.union([z.strictObject({}), z.strictObject({ cidr: text })]),
  group: z.union([z.strictObject({}), z.strictObject({ tenant_id: text, name: text })]),
})
export const securityGroup = z.strictObject({
  id: z.uuid(),
  name: text,
  description: text.nullable(),
  tenant_id: text,
  rules: z.array(groupRule),
})
export const securityGroupRule = groupRule

export const ofWires: Contracts = {
  'GET /compute/v2.1/servers/:id/ips': { gives: { 200: one('addresses', plainAddresses) } },
  'GET /compute/v2.1/servers/:id/ips/:label': { gives: { 200: plainAddresses } },
  'GET /compute/v2.1/servers/:id/os-interface': { gives: { 200: one('interfaceAttachments', list(attachment)) } },
  'POST /compute/v2.1/servers/:id/os-interface': {
    takes: attach,
    gives: { 200: one('interfaceAttachment', attachment) },
  },
  'GET /compute/v2.1/servers/:id/os-interface/:port': { gives: { 200: one('interfaceAttachment', attachment) } },
  'DELETE /compute/v2.1/servers/:id/os-interface/:port': { gives: { 202: nothing } },
  'GET /compute/v2.1/servers/:id/os-virtual-interfaces': { gives: {} },
  'GET /compute/v2.1/servers/:id/os-security-groups': {
    gives: { 200: z.strictObject({ security_groups: z.array(securityGroup) }) },
  },
  'GET /compute/v2.1/servers/:id/os-volume_attachments': {
    gives: { 200: z.strictObject({ volumeAttachments: z.tuple([]) }) },
  },
}

const action = {
  action: text,
  instance_uuid: z.uuid(),
  request_id: requestId,
  user_id: text,
  project_id: text,
  start_time: micros,
  message: text.nullable(),
  updated_at: since('2.58', micros),
}
const event = object({
  event: text,
  start_time: micros,
  finish_time: micros.nullable(),
  result: z.enum(['Success', 'Error']).nullable(),
  traceback: text.nullable().optional(),
  host: since('2.62', text.nullable().optional()),
  hostId: since('2.62', text),
  details: since('2.84', text.nullable().optional()),
})
const migration = object({
  id: whole,
  uuid: since('2.59', z.uuid()),
  source_compute: text,
  source_node: text,
  dest_compute: text,
  dest_node: text,
  dest_host: text.nullable(),
  status: text,
  server_uuid: z.uuid(),
  memory_total_bytes: whole.nullable(),
  memory_processed_bytes: whole.nullable(),
  memory_remaining_bytes: whole.nullable(),
  disk_total_bytes: whole.nullable(),
  disk_processed_bytes: whole.nullable(),
  disk_remaining_bytes: whole.nullable(),
  user_id: since('2.80', text.nullable()),
  project_id: since('2.80', text.nullable()),
  created_at: micros,
  updated_at: micros.nullable(),
  'berth:phase': text.nullable(),
  'berth:transport': text.nullable(),
  'berth:transport_reason': text.nullable(),
  'berth:bytes_per_second': z.number(),
  'berth:seconds_left': whole.nullable(),
})

const counted = z.number()
/** Each hypervisor said what it liked. */
const oldDiagnostics = z.record(text, counted)
const diagnostics = z.strictObject({
  state: z.enum(['pending', 'running', 'paused', 'shutdown', 'crashed', 'suspended']),
  driver: z.enum(['libvirt', 'xenapi', 'vmwareapi', 'ironic', 'hyperv', 'docker']),
  hypervisor: text.nullable(),
  hypervisor_os: text.nullable(),
  uptime: whole.nullable(),
  config_drive: z.boolean(),
  num_cpus: whole,
  num_nics: whole,
  num_disks: whole,
  memory_details: z.strictObject({ maximum: whole.nullable(), used: whole.nullable() }),
  cpu_details: z.array(z.strictObject({ id: whole.nullable(), time: whole.nullable(), utilisation: whole.nullable() })),
  nic_details: z.array(
    z.strictObject({
      mac_address: z.mac(),
      ...Object.fromEntries(
        ['rx', 'tx'].flatMap((way) =>
          ['octets', 'errors', 'drop', 'packets', 'rate'].map((what) => [`${way}_${what}`, whole.nullable()]),
        ),
      ),
    }),
  ),
  disk_details: z.array(
    z.strictObject({
      read_bytes: whole.nullable(),
      read_requests: whole.nullable(),
      write_bytes: whole.nullable(),
      write_requests: whole.nullable(),
      errors_count: whole.nullable(),
    }),
  ),
})

const console_ = z.strictObject({ protocol: text, type: text })

export const inspections: Contracts = {
  'GET /compute/v2.1/servers/:id/os-instance-actions': {
    gives: { 200: object({ instanceActions: list(object(action)), links: since('2.58', next.optional()) }) },
  },
  'GET /compute/v2.1/servers/:id/os-instance-actions/:requestId': {
    gives: {
      200: one(
        'instanceAction',
        object({ ...action, events: turning(['2.1', optional(list(event))], ['2.51', list(event)]) }),
      ),
    },
  },
  'GET /compute/v2.1/servers/:id/migrations': { gives: { 200: one('migrations', list(migration)) } },
  'GET /compute/v2.1/servers/:id/migrations/:migration': { gives: { 200: one('migration', migration) } },
  'GET /compute/v2.1/servers/:id/diagnostics': {
    gives: { 200: turning(['2.1', oldDiagnostics], ['2.48', diagnostics]) },
  },
  'GET /compute/v2.1/servers/:id/topology': {
    gives: { 200: z.strictObject({ nodes: z.tuple([]), pagesize_kb: z.null() }) },
  },
  'GET /compute/v2.1/servers/:id/os-server-password': { gives: { 200: z.strictObject({ password: text }) } },
  'DELETE /compute/v2.1/servers/:id/os-server-password': { gives: { 204: nothing } },
  'POST /compute/v2.1/servers/:id/remote-consoles': { takes: one('remote_console', console_), gives: {} },
}

export const servers: Contracts = { ...ofServers, ...ofWords, ...ofWires, ...inspections }

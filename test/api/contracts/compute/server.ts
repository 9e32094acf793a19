/** A server, as each request shows it. Source: Nova's API reference and REST API version history. */
import { isIP } from 'node:net'
import { z } from 'zod'
import { either, forAdmins, list, object, optional, since, turning, until, type Fields, type Shape } from '../shape.ts'
import { items, links, micros, seconds, text, texts, whole } from '../words.ts'

const address = { addr: text.refine((given) => isIP(given) !== 0), version: z.literal([4, 6]) }
const plainAddress = z.strictObject(address)
const fullAddress = z.strictObject({
  ...address,
  'OS-EXT-IPS:type': z.enum(['fixed', 'floating']),
  'OS-EXT-IPS-MAC:mac_addr': z.mac(),
})
const label = z.string().regex(/^[a-zA-Z0-9-_.]+$/)
const networks = (one: z.ZodType): z.ZodType => z.record(label, z.array(one))
export const plainAddresses = networks(plainAddress)
const fullAddresses = networks(fullAddress)

const bookmark = z.tuple([z.strictObject({ rel: z.literal('bookmark'), href: z.url() })])
const flavor = turning(
  ['2.1', z.strictObject({ id: text, links: bookmark })],
  [
    '2.47',
    z.strictObject({
      vcpus: whole,
      ram: whole,
      disk: whole,
      ephemeral: whole,
      swap: whole,
      original_name: text,
      extra_specs: items,
    }),
  ],
)
const statuses = [
  ...['ACTIVE', 'BUILD', 'DELETED', 'ERROR', 'HARD_REBOOT', 'MIGRATING', 'PASSWORD', 'PAUSED', 'REBOOT', 'REBUILD'],
  ...['RESCUE', 'RESIZE', 'REVERT_RESIZE', 'SHELVED', 'SHELVED_OFFLOADED', 'SHUTOFF', 'SOFT_DELETED', 'SUSPENDED'],
  ...['UNKNOWN', 'VERIFY_RESIZE'],
]
const fault = z.strictObject({ code: whole, created: seconds, message: text, details: text.optional() })

const basic: Fields = {
  id: z.uuid(),
  name: text,
  status: z.enum(statuses),
  tenant_id: text,
  user_id: text,
  metadata: items,
  hostId: z.string().regex(/^([0-9a-f]{56})?$/),
  image: z.union([z.literal(''), z.strictObject({ id: text, links: bookmark })]),
  flavor,
  created: seconds,
  updated: seconds,
  accessIPv4: z.union([z.ipv4(), z.literal('')]),
  accessIPv6: z.union([z.ipv6(), z.literal('')]),
  links,
  'OS-DCF:diskConfig': z.enum(['AUTO', 'MANUAL']),
  progress: whole.optional(),
  fault: fault.optional(),
  locked: since('2.9', z.boolean()),
  description: since('2.19', text.nullable()),
  tags: since('2.26', texts),
  trusted_image_certificates: since('2.63', texts.nullable()),
  locked_reason: since('2.73', text.nullable()),
  pinned_availability_zone: since('2.96', text.nullable()),
}

const extended: Fields = {
  'OS-EXT-AZ:availability_zone': text,
  config_drive: z.enum(['True', '']),
  key_name: text.nullable(),
  'OS-SRV-USG:launched_at': micros.nullable(),
  'OS-SRV-USG:terminated_at': micros.nullable(),
  'OS-EXT-STS:task_state': text.nullable(),
  'OS-EXT-STS:vm_state': text,
  'OS-EXT-STS:power_state': z.literal([0, 1, 3, 4, 6, 7]),
  'os-extended-volumes:volumes_attached': z.tuple([]),
  security_groups: z.array(z.strictObject({ name: text })).optional(),
  'OS-EXT-SRV-ATTR:hostname': since('2.90', text),
}

const administrative: Fields = {
  'OS-EXT-SRV-ATTR:host': text.nullable(),
  'OS-EXT-SRV-ATTR:hypervisor_hostname': text.nullable(),
  'OS-EXT-SRV-ATTR:instance_name': text,
  'OS-EXT-SRV-ATTR:reservation_id': since('2.3', text),
  'OS-EXT-SRV-ATTR:launch_index': since('2.3', whole),
  'OS-EXT-SRV-ATTR:hostname': since('2.3', text),
  'OS-EXT-SRV-ATTR:kernel_id': since('2.3', text),
  'OS-EXT-SRV-ATTR:ramdisk_id': since('2.3', text),
  'OS-EXT-SRV-ATTR:root_device_name': since('2.3', text.nullable()),
  'OS-EXT-SRV-ATTR:user_data': since('2.3', text.nullable()),
  host_status: since('2.16', z.enum(['UP', 'DOWN', 'UNKNOWN', 'MAINTENANCE', ''])),
}

const groups: Fields = { server_groups: since('2.71', z.array(z.uuid()).max(1)) }

export const listed: Shape = forAdmins({ ...basic, ...extended, addresses: fullAddresses }, administrative)
export const shown: Shape = forAdmins({ ...basic, ...extended, ...groups, addresses: fullAddresses }, administrative)
export const reference: Shape = object({ id: z.uuid(), name: text, links })

/** Before 2.75 a change was answered with less than a look. */
function answered(more: Fields, hidden: readonly string[] = []): Shape {
  const seen = Object.fromEntries(Object.entries(administrative).filter(([name]) => !hidden.includes(name)))
  const less = { ...basic, ...groups, ...more, addresses: plainAddresses }
  const all = { ...basic, ...extended, ...groups, ...more, addresses: fullAddresses }
  return turning(['2.1', object(less)], ['2.75', forAdmins(all, seen)])
}
export const updated = answered({})
/** A rebuild shows the user data under a name of its own. */
export const rebuilt = answered(
  {
    adminPass: text,
    key_name: since('2.54', text.nullable()),
    user_data: since('2.57', text.nullable()),
  },
  ['OS-EXT-SRV-ATTR:user_data'],
)

const diskConfig = z.enum(['AUTO', 'MANUAL']).optional()
const hostname = z.string().optional()

const nic: Shape = object({
  uuid: text.optional(),
  port: text.nullable().optional(),
  fixed_ip: text.optional(),
  // 2.37 lost it, and 2.42 brought it back.
  tag: turning(
    ['2.1', z.undefined().optional()],
    ['2.32', text.optional()],
    ['2.37', z.undefined().optional()],
    ['2.42', text.optional()],
  ),
})

const hints = z.record(text, z.unknown()).optional()
/** POST /servers */
export const wanted: Shape = object({
  server: object({
    name: text,
    imageRef: text.optional(),
    flavorRef: z.union([text, whole]),
    adminPass: text.optional(),
    metadata: items.optional(),
    networks: turning(['2.1', optional(list(nic))], ['2.37', either(z.enum(['auto', 'none']), list(nic))]),
    'OS-DCF:diskConfig': diskConfig,
    accessIPv4: text.optional(),
    accessIPv6: text.optional(),
    availability_zone: text.nullable().optional(),
    block_device_mapping_v2: z.array(z.record(text, z.unknown())).optional(),
    config_drive: z.union([z.boolean(), text]).nullable().optional(),
    key_name: text.optional(),
    min_count: z.union([whole, text]).optional(),
    max_count: z.union([whole, text]).optional(),
    return_reservation_id: z.union([z.boolean(), text]).optional(),
    security_groups: z.array(z.strictObject({ name: text })).optional(),
    user_data: text.nullable().optional(),
    personality: until('2.57', z.array(z.unknown()).optional()),
    description: since('2.19', text.nullable().optional()),
    tags: since('2.52', texts.optional()),
    trusted_image_certificates: since('2.63', texts.nullable().optional()),
    host: since('2.74', text.optional()),
    hypervisor_hostname: since('2.74', text.optional()),
    hostname: since('2.90', hostname),
  }),
  'os:scheduler_hints': hints,
  'OS-SCH-HNT:scheduler_hints': hints,
})

export const change: Shape = object({
  server: object({
    name: text.optional(),
    'OS-DCF:diskConfig': diskConfig,
    accessIPv4: text.optional(),
    accessIPv6: text.optional(),
    description: since('2.19', text.nullable().optional()),
    hostname: since('2.90', hostname),
  }),
})

export const rebuild: Shape = object({
  imageRef: text,
  name: text.optional(),
  adminPass: text.optional(),
  metadata: items.optional(),
  preserve_ephemeral: z.union([z.boolean(), text]).optional(),
  'OS-DCF:diskConfig': diskConfig,
  accessIPv4: text.optional(),
  accessIPv6: text.optional(),
  personality: until('2.57', z.array(z.unknown()).optional()),
  description: since('2.19', text.nullable().optional()),
  key_name: since('2.54', text.nullable().optional()),
  user_data: since('2.57', text.nullable().optional()),
  trusted_image_certificates: since('2.63', texts.nullable().optional()),
  hostname: since('2.90', hostname),
})

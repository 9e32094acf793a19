/** The body of POST /servers at each microversion. Source: nova/api/openstack/compute/schemas/servers.py. */
import { isIP } from 'node:net'
import { z } from 'zod'
import { Invalid } from '../../../core/errors.ts'
import { parseBody } from '../../body.ts'
import { minorOf, type Microversion } from '../../microversion.ts'
import { adminPassword, checkHostname, description, fieldName, hostname, serverTags } from '../fields.ts'
import { hints, type Hints } from './hints.ts'
import { personality } from './personality.ts'

export const metadata = z.record(z.string().regex(/^[a-zA-Z0-9-_:. ]{1,255}$/), z.string().max(255))
export const diskConfig = z.enum(['AUTO', 'MANUAL'])
/** '' = none */
export const accessIp = (family: 4 | 6) =>
  z
    .string()
    .refine((text) => text === '' || (isIP(text) === family && !text.includes('%')), {
      error: `is not a 'ipv${family}'`,
    })
    .transform((text) => (text === '' ? null : text))

const count = z
  .union([z.int(), z.string().regex(/^\d+$/).transform(Number)])
  .refine((number) => number >= 1, { error: 'is less than the minimum of 1' })

const nic = z.strictObject({
  uuid: z.uuid().optional(),
  port: z.uuid().nullable().optional(),
  fixed_ip: z
    .string()
    .refine((text) => isIP(text) !== 0, { error: "is not a 'ip-address'" })
    .optional(),
  tag: z.string().min(1).max(60).optional(),
})

const disk = z.strictObject({
  boot_index: z.union([z.int(), z.string(), z.null()]).optional(),
  source_type: z.literal('image'),
  destination_type: z.literal('local').optional(),
  uuid: z.uuid(),
  delete_on_termination: z.boolean().optional(),
})

const server = z.strictObject({
  name: fieldName,
  imageRef: z.string().optional(),
  flavorRef: z.union([z.string().min(1), z.int().transform(String)]),
  adminPass: adminPassword.optional(),
  metadata: metadata.optional(),
  networks: z.union([z.enum(['auto', 'none']), z.array(nic)]).optional(),
  'OS-DCF:diskConfig': diskConfig.optional(),
  accessIPv4: accessIp(4).optional(),
  accessIPv6: accessIp(6).optional(),
  availability_zone: z.string().min(1).max(255).nullable().optional(),
  block_device_mapping_v2: z.array(disk).max(1).optional(),
  config_drive: z
    .union([z.boolean(), z.stringbool(), z.literal('').transform(() => false)])
    .nullable()
    .optional(),
  key_name: z.string().min(1).max(255).optional(),
  min_count: count.optional(),
  max_count: count.optional(),
  return_reservation_id: z.union([z.boolean(), z.stringbool()]).optional(),
  security_groups: z.array(z.strictObject({ name: z.string().min(1).max(255) })).optional(),
  user_data: z.base64().max(65_535).nullable().optional(),
  description: description.optional(),
  tags: serverTags.optional(),
  personality: personality.optional(),
  trusted_image_certificates: z.array(z.string()).nullable().optional(),
  host: z.string().min(1).max(255).optional(),
  hypervisor_hostname: z.string().min(1).max(255).optional(),
  hostname: hostname.optional(),
})

const body = z.strictObject({
  server,
  'os:scheduler_hints': hints.optional(),
  'OS-SCH-HNT:scheduler_hints': hints.optional(),
})

export type CreateServer = z.output<typeof server>

/** The body of a create, read at its microversion. */
export interface Asked {
  readonly wanted: CreateServer
  readonly hints: Hints
}

/** The microversion that brought a property. */
const brought = {
  description: '2.19',
  tags: '2.52',
  trusted_image_certificates: '2.63',
  host: '2.74',
  hypervisor_hostname: '2.74',
  hostname: '2.90',
} as const

/** The microversion that took a property away. */
const taken = { personality: '2.57' } as const

function checkVersion(wanted: CreateServer, version: Microversion): void {
  const early = Object.entries(brought).filter(([, since]) => version < minorOf(since))
  const late = Object.entries(taken).filter(([, until]) => version >= minorOf(until))
  for (const [name] of [...early, ...late])
    if (Object.hasOwn(wanted, name))
      throw new Invalid(
        `Invalid input for field/attribute server. Value: ${name}. ` +
          `Additional properties are not allowed ('${name}' was unexpected)`,
      )
  checkHostname(wanted.hostname, version)
  if (version >= 37 && wanted.networks === undefined)
    throw new Invalid("Invalid input for field/attribute server. 'networks' is a required property")
  if (version < 37 && typeof wanted.networks === 'string')
    throw new Invalid(
      `Invalid input for field/attribute networks. Value: ${wanted.networks}. '${wanted.networks}' is not of type 'array'`,
    )
  // 2.37 lost the tags of devices by oversight, and 2.42 brought them back.
  const hasNicTags = (version >= 32 && version < 37) || version >= 42
  if (!hasNicTags && typeof wanted.networks === 'object' && wanted.networks.some(({ tag }) => tag !== undefined))
    throw new Invalid(
      "Invalid input for field/attribute networks. Additional properties are not allowed ('tag' was unexpected)",
    )
  if (wanted.trusted_image_certificates) throw new Invalid('Image certificate validation is not supported.')
}

/** @throws Invalid naming the field and what is wrong with it */
export function parseCreate(given: unknown, version: Microversion): Asked {
  const { server: wanted, ...rest } = parseBody(body, given)
  checkVersion(wanted, version)
  return { wanted, hints: rest['os:scheduler_hints'] ?? rest['OS-SCH-HNT:scheduler_hints'] ?? {} }
}

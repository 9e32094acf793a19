/** What users may say of an image. Source: glance/schema.py and glance/api/v2/images.py. */
import { z } from 'zod'
import { Forbidden, Invalid } from '../../core/errors.ts'
import type { ImageFields } from '../../db/new-images.ts'
import { isAllowed, type Rule } from '../policy.ts'
import type { Call } from '../route.ts'

export const visibilities = ['public', 'private', 'shared', 'community'] as const
const containerFormats = ['ami', 'ari', 'aki', 'bare', 'ovf', 'ova', 'docker', 'compressed'] as const
const diskFormats = ['ami', 'ari', 'aki', 'vhd', 'vhdx', 'vmdk', 'raw', 'qcow2', 'vdi', 'ploop', 'iso'] as const

export const tagField = z.string().max(255)

/** Fields of Glance's own that users set, each as it is sent. */
export const settable = {
  name: z.string().max(255).nullable(),
  visibility: z.enum(visibilities),
  protected: z.boolean(),
  os_hidden: z.boolean(),
  tags: z.array(tagField).max(128),
  container_format: z.enum(containerFormats).nullable(),
  disk_format: z.enum(diskFormats).nullable(),
  min_disk: z.int().min(0).max(2_147_483_647),
  min_ram: z.int().min(0).max(2_147_483_647),
} as const
export type Settable = keyof typeof settable

/** Fields that only Glance sets. */
const readOnly: readonly string[] = [
  ...['id', 'owner', 'status', 'created_at', 'updated_at', 'size', 'virtual_size', 'checksum'],
  ...['os_hash_algo', 'os_hash_value', 'self', 'file', 'schema', 'direct_url', 'locations', 'stores'],
]

export function isSettable(name: string): name is Settable {
  return Object.hasOwn(settable, name)
}

/** @throws Forbidden for a field that users do not set; Invalid for a name too long */
export function checkProperty(name: string): void {
  if (readOnly.includes(name)) throw new Forbidden(`Attribute '${name}' is read-only.`)
  if (name.startsWith('os_glance')) throw new Forbidden(`Attribute '${name}' is a reserved name.`)
  if (name === '' || name.length > 255) throw new Invalid('A property has a name of 1 to 255 signs.')
}

export const property = z.string().max(65_535)

export type Wanted = { readonly [K in Settable]?: z.output<(typeof settable)[K]> | undefined }

/** What the row holds of them. */
export function columnsOf(wanted: Wanted): ImageFields {
  const { name, visibility, tags, protected: isProtected, os_hidden: isHidden } = wanted
  return {
    ...(name === undefined ? {} : { name: name ?? '' }),
    ...(visibility === undefined ? {} : { visibility }),
    ...(tags === undefined ? {} : { tags: [...new Set(tags)] }),
    ...(isProtected === undefined ? {} : { isProtected }),
    ...(isHidden === undefined ? {} : { isHidden }),
    ...(wanted.container_format === undefined ? {} : { containerFormat: wanted.container_format }),
    ...(wanted.disk_format === undefined ? {} : { diskFormat: wanted.disk_format }),
    ...(wanted.min_disk === undefined ? {} : { minDiskGiB: wanted.min_disk }),
    ...(wanted.min_ram === undefined ? {} : { minMemoryMiB: wanted.min_ram }),
  }
}

const rules: Readonly<Partial<Record<(typeof visibilities)[number], Rule>>> = {
  public: 'publicize_image',
  community: 'communitize_image',
}

/** @throws Forbidden when the caller may not show its images to so many */
export function checkVisibility({ caller }: Call, { visibility }: Wanted): void {
  const rule = visibility === undefined ? undefined : rules[visibility]
  if (rule !== undefined && !isAllowed(caller, rule)) throw new Forbidden(`You are not authorized to complete ${rule}.`)
}

/** An image as Glance shows it. Pure. */
import type { ImageMemberRow, ImageRow } from '../../db/tables.ts'

type Json = Readonly<Record<string, unknown>>

export function seconds(date: Date): string {
  return date.toISOString().replace(/\.\d+Z$/, 'Z')
}

/** A long digest of the bytes that were uploaded, else the one of what boots. */
function digestOf({ sha512, reference }: ImageRow): Json {
  if (sha512 !== null) return { os_hash_algo: 'sha512', os_hash_value: sha512 }
  const digest = /@sha256:([0-9a-f]{64})$/.exec(reference ?? '')?.[1] ?? null
  return { os_hash_algo: digest === null ? null : 'sha256', os_hash_value: digest }
}

/** Flat: a property of the user's stands beside Glance's own. */
export function imageView(image: ImageRow): Json {
  return {
    ...image.properties,
    id: image.id,
    name: image.name,
    status: image.status,
    visibility: image.visibility,
    owner: image.projectId,
    size: image.sizeBytes,
    virtual_size: null,
    min_ram: image.minMemoryMiB,
    min_disk: image.minDiskGiB,
    protected: image.isProtected,
    tags: image.tags,
    container_format: image.containerFormat ?? (image.reference === null ? null : 'docker'),
    disk_format: image.diskFormat ?? (image.reference === null ? null : 'raw'),
    checksum: image.checksum,
    ...digestOf(image),
    os_hidden: image.isHidden,
    created_at: seconds(image.createdAt),
    updated_at: seconds(image.updatedAt),
    self: `/v2/images/${image.id}`,
    file: `/v2/images/${image.id}/file`,
    schema: '/v2/schemas/image',
  }
}

export function memberView(member: ImageMemberRow): Json {
  return {
    image_id: member.imageId,
    member_id: member.projectId,
    status: member.status,
    created_at: seconds(member.createdAt),
    updated_at: seconds(member.updatedAt),
    schema: '/v2/schemas/member',
  }
}

/** The row of an image that a guest's disk is to become. Source of the properties: nova/compute/utils.py, create_image. */
import type { Server } from '../core/server.ts'
import type { Transaction } from './connect.ts'
import { findImage } from './images.ts'
import { insertImage } from './new-images.ts'
import type { ImageRow } from './tables.ts'

/** Of the parent's properties, those that are the parent's alone. */
const ownProperties = /^(berth_|image_|instance_uuid$|backup_type$|base_image_ref$|user_id$|owner_)/

type Properties = Readonly<Record<string, string>>

export interface Snapshot {
  readonly name: string
  readonly metadata: Properties
  /** beside the user's metadata, and above them */
  readonly properties: Properties
}

function inherited(parent: ImageRow | null): Properties {
  return Object.fromEntries(Object.entries(parent?.properties ?? {}).filter(([name]) => !ownProperties.test(name)))
}

/** @param userId who asked for it */
export async function insertSnapshot(
  trx: Transaction,
  { server, userId }: { readonly server: Server; readonly userId: string },
  { name, metadata, properties }: Snapshot,
): Promise<ImageRow> {
  const parent = server.imageId === null ? null : await findImage(trx, server.imageId)
  return await insertImage(trx, {
    projectId: server.projectId,
    name,
    serverId: server.id,
    parentId: server.imageId,
    minMemoryMiB: parent?.minMemoryMiB ?? 0,
    minDiskGiB: parent?.minDiskGiB ?? 0,
    diskFormat: 'raw',
    containerFormat: 'bare',
    properties: {
      ...inherited(parent),
      instance_uuid: server.id,
      user_id: userId,
      image_type: 'snapshot',
      image_location: 'snapshot',
      base_image_ref: server.imageId ?? '',
      ...metadata,
      ...properties,
    },
  })
}

/** Of a backup, which takes its place among the server's backups of this type: those beyond the rotation go when it is whole. */
export function backupProperties(type: string, rotation: number): Properties {
  return { image_type: 'backup', backup_type: type, berth_rotation: String(rotation) }
}
